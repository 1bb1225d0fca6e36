import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, normalize, relative } from 'node:path'
import test from 'ava'
import { checkout } from './support/tools.ts'

const builder = join(checkout, 'builder')

/** Folders from the outermost to the innermost; each may import itself and those after it. */
const levels: readonly (readonly string[])[] = [
  ['main.ts'],
  ['cli'],
  ['fetch', 'bake', 'boot', 'flash', 'card', 'bundle', 'kit', 'publish', 'repository', 'serve'],
  ['plan', 'root', 'deb', 'image', 'inspect', 'page', 'cache', 'lock', 'profile'],
  ['host'],
  ['core'],
]

const levelOf = (folder: string): number => levels.findIndex((level) => level.includes(folder))

interface Module {
  /** Path below `builder/`. */
  path: string
  folder: string
  text: string
  /** What it imports: paths below `builder/`, or names of packages. */
  imports: string[]
}

const importPattern = /\bfrom\s+'([^']+)'|\bimport\s*\(\s*'([^']+)'\s*\)|^import\s+'([^']+)'/gm

const readModule = async (path: string): Promise<Module> => {
  const text = await readFile(join(builder, path), 'utf8')
  const imports = [...text.matchAll(importPattern)].map((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? ''
    return name.startsWith('.') ? normalize(join(dirname(path), name)) : name
  })
  return { path, folder: path.split('/')[0] ?? '', text, imports }
}

const readModules = async (): Promise<Module[]> => {
  const entries = await readdir(builder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  return Promise.all(files.map((entry) => readModule(relative(builder, join(entry.parentPath, entry.name)))))
}

const modules = await readModules()
const isOurs = (name: string): boolean => name.endsWith('.ts')
const folderOf = (path: string): string => path.split('/')[0] ?? ''

test('the modules were found, with their imports', (t) => {
  t.true(modules.length > 50)
  const main = modules.find(({ path }) => path === 'main.ts')
  t.true(main?.imports.includes('cli/parse.ts'), 'a dynamic import')
  t.true(main?.imports.includes('core/error.ts'), 'a static import')
})

test('every folder has its level', (t) => {
  const folders = new Set(modules.map(({ folder }) => folder))
  folders.delete('report')
  t.deepEqual(
    [...folders].filter((folder) => levelOf(folder) < 0),
    [],
  )
})

const allowed = ({ folder }: Module, target: string): boolean => {
  const to = folderOf(target)
  if (folder === to) return true
  if (folder === 'report') return to === 'core'
  if (to === 'report') return folder === 'main.ts' || folder === 'cli'
  return levelOf(folder) <= levelOf(to)
}

test('imports run one way', (t) => {
  const wrong = modules.flatMap((module) =>
    module.imports.filter((name) => isOurs(name) && !allowed(module, name)).map((name) => `${module.path} -> ${name}`),
  )
  t.deepEqual(wrong, [])
})

test('nothing outside builder/ is imported', (t) => {
  const wrong = modules.flatMap(({ path, imports }) =>
    imports.filter((name) => name.startsWith('..')).map((name) => `${path} -> ${name}`),
  )
  t.deepEqual(wrong, [])
})

/** Every circle among the edges, once, as the names on it. */
const findCircles = (edges: ReadonlyMap<string, ReadonlySet<string>>): string[] => {
  const circles = new Set<string>()
  const done = new Set<string>()
  const visit = (node: string, trail: readonly string[]): void => {
    const start = trail.indexOf(node)
    if (start >= 0) circles.add([...trail.slice(start), node].join(' -> '))
    if (start >= 0 || done.has(node)) return
    for (const next of edges.get(node) ?? []) visit(next, [...trail, node])
    done.add(node)
  }
  for (const node of edges.keys()) visit(node, [])
  return [...circles]
}

const edgesBy = (key: (path: string) => string): Map<string, Set<string>> => {
  const edges = new Map<string, Set<string>>()
  for (const { path, imports } of modules) {
    for (const name of imports.filter(isOurs)) {
      if (key(path) === key(name)) continue
      edges.set(key(path), (edges.get(key(path)) ?? new Set()).add(key(name)))
    }
  }
  return edges
}

test('circles are found', (t) => {
  const edges = new Map([
    ['a', new Set(['b'])],
    ['b', new Set(['c'])],
    ['c', new Set(['a', 'd'])],
  ])
  t.deepEqual(findCircles(edges), ['a -> b -> c -> a'])
})

test('folders do not import each other in circles', (t) => {
  t.deepEqual(findCircles(edgesBy(folderOf)), [])
})

test('only host/ starts processes', (t) => {
  const starters = new Set(['execa', 'child_process', 'node:child_process', 'cluster', 'node:cluster'])
  const wrong = modules.filter(({ folder, imports }) => folder !== 'host' && imports.some((name) => starters.has(name)))
  t.deepEqual(
    wrong.map(({ path }) => path),
    [],
  )
})

/** What a module takes from others besides types, as `name` for each word between the braces. */
const valuesFrom = (text: string, names: ReadonlySet<string>): string[] =>
  [...text.matchAll(/^import\s+([^']*?)\s+from\s+'([^']+)'/gm)]
    .filter(([, clause = '', name = '']) => names.has(name) && !clause.startsWith('type '))
    .flatMap(([, clause = '']) => clause.replaceAll(/[{}]/g, ' ').split(','))
    .map((word) => word.trim())
    .filter((word) => word !== '' && !word.startsWith('type '))

const clients = new Set(['undici', 'node:http', 'node:https', 'node:http2', 'http', 'https', 'http2'])

test('only fetch/connections.ts reaches the network, so that all of it goes through the proxy', (t) => {
  const wrong = modules.filter(
    ({ path, text }) =>
      !['fetch/connections.ts', 'serve/server.ts'].includes(path) &&
      (valuesFrom(text, clients).length > 0 ||
        [...clients].some((name) => text.includes(`import('${name}')`)) ||
        /(?<![.\w])fetch\(/.test(text)),
  )
  t.deepEqual(
    wrong.map(({ path }) => path),
    [],
  )
})

test('serve/server.ts answers and asks nobody', (t) => {
  const server = modules.find(({ path }) => path === 'serve/server.ts')
  t.deepEqual(valuesFrom(server?.text ?? '', clients).sort(), ['STATUS_CODES', 'createServer'])
})

test('only report/ and main.ts touch the terminal', (t) => {
  const terminal = /(?<![.\w])process\.(?:stdout|stderr|stdin)\b|\bconsole\.(?:log|error|warn|info|debug|table)\(/
  const wrong = modules.filter(({ folder, text }) => !['report', 'main.ts'].includes(folder) && terminal.test(text))
  t.deepEqual(
    wrong.map(({ path }) => path),
    [],
  )
})
