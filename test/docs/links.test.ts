import { access, readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import test from 'ava'
import { commands } from '../../builder/cli/commands.ts'
import { globalOptions } from '../../builder/cli/context.ts'
import { anchorOf } from '../../builder/page/markdown.ts'
import { profileFileSchema, stageFileSchema } from '../../builder/profile/schema.ts'
import { checkout } from '../support/tools.ts'

/** Folders whose Markdown is part of the documentation, and whether to look below them. */
const places = [
  { folder: '.', below: false },
  { folder: 'docs', below: true },
  { folder: 'stages', below: true },
  { folder: 'builder', below: true },
] as const

const findPages = async (): Promise<string[]> => {
  const lists = await Promise.all(
    places.map(async ({ folder, below }) => {
      const entries = await readdir(join(checkout, folder), { recursive: below, withFileTypes: true })
      return entries
        .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
        .map((entry) => relative(checkout, join(entry.parentPath, entry.name)))
        .filter((path) => !path.includes('node_modules/'))
    }),
  )
  return lists.flat().sort()
}

const read = (path: string): Promise<string> => readFile(join(checkout, path), 'utf8')

const pages = new Map(await Promise.all((await findPages()).map(async (path) => [path, await read(path)] as const)))

const fences = /^```.*?^```$/gms

/** A page without its code blocks and code spans, which hold no links. */
const prose = (text: string): string => text.replace(fences, '').replace(/`[^`\n]*`/g, '')

/** What a page shows as code: its blocks, and its spans outside of them. */
const codeOf = (text: string): string[] => [
  ...[...text.matchAll(fences)].map(([block]) => block),
  ...[...text.replace(fences, '').matchAll(/`([^`\n]+)`/g)].map(([, span]) => span ?? ''),
]

const headingsOf = (text: string): string[] =>
  [...text.replace(fences, '').matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading ?? '')

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

test('the pages are found', (t) => {
  for (const path of ['README.md', 'CONTRIBUTING.md', 'docs/stages.md', 'docs/troubleshooting.md'])
    t.true(pages.has(path), path)
})

test('every relative link leads to a file, and to a heading where it names one', async (t) => {
  const wrong: string[] = []
  let seen = 0
  for (const [page, text] of pages) {
    for (const [, target = ''] of prose(text).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      seen += 1
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : join(dirname(page), path)
      if (!(await exists(join(checkout, file)))) wrong.push(`${page}: ${target}`)
      else if (anchor !== undefined && !headingsOf(await read(file)).some((heading) => anchorOf(heading) === anchor))
        wrong.push(`${page}: ${target} (no such heading)`)
    }
  }
  t.true(seen > 30)
  t.deepEqual(wrong, [])
})

test('every error code has its place in troubleshooting.md, and no other has one', async (t) => {
  const source = await read('builder/core/error.ts')
  const union = /export type ErrorCode =(.*?)\n\n/s.exec(source)?.[1] ?? ''
  const codes = [...union.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code ?? '')
  t.true(codes.length > 20)
  const described = headingsOf(pages.get('docs/troubleshooting.md') ?? '').filter((heading) =>
    /^[A-Z_]+$/.test(heading),
  )
  t.deepEqual(described.toSorted(), codes.toSorted())
})

test('the list of codes with exit code 2 is the one in the source', async (t) => {
  const source = await read('builder/core/error.ts')
  const set = /inputCodes.*?\[(.*?)\]/s.exec(source)?.[1] ?? ''
  const codes = [...set.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code ?? '')
  const sentence = /Exit code 2 means[^:]*: ([A-Z_, ]+)\./.exec(pages.get('docs/troubleshooting.md') ?? '')?.[1] ?? ''
  t.deepEqual(sentence.split(', ').toSorted(), codes.toSorted())
})

/** Command lines of pibake in code: the words after `pibake` where it is run, up to a comment or the end. */
const commandLines = (text: string): string[] =>
  codeOf(text).flatMap((code) =>
    [...code.matchAll(/(?:^|^\$ |sudo (?:\S+ )*?|--net |\(|&& )(?:\.\/)?pibake +([^\n#|)>;&…]+)/gm)].map(([, words]) =>
      (words ?? '').trim(),
    ),
  )

const lines = [...pages]
  .filter(([page]) => !page.startsWith('builder/'))
  .flatMap(([page, text]) => commandLines(text).map((line) => ({ page, words: line.split(/\s+/) })))

const isCommandLine = ({ words }: { words: string[] }): boolean => /^(?:--[a-z]|[a-z]+$)/.test(words[0] ?? '')

test('every command in the documentation exists, with its options', async (t) => {
  const names = new Set(commands.map(({ name }) => name))
  const wrong: string[] = []
  const shown = lines.filter(isCommandLine)
  t.true(shown.length > 40)
  for (const { page, words } of shown) {
    const [first = ''] = words
    const named = first.startsWith('-') ? 'bake' : first
    const entry = commands.find(({ name }) => name === named)
    if (!names.has(named) || !entry) {
      wrong.push(`${page}: pibake ${words.join(' ')}`)
      continue
    }
    const { options } = await entry.load()
    const known = new Set([...Object.keys(options), ...Object.keys(globalOptions), 'help', 'version'])
    for (const word of words.filter((word) => word.startsWith('--'))) {
      const option = word.slice(2).split('=')[0] ?? ''
      if (!known.has(option) && !known.has(option.replace(/^no-/, ''))) wrong.push(`${page}: pibake ${words.join(' ')}`)
    }
  }
  t.deepEqual(wrong, [])
})

test('the table of commands in the README has all of them', (t) => {
  const readme = pages.get('README.md') ?? ''
  for (const { name } of commands)
    t.true(new RegExp(`^\\| \`pibake (?:${name}\\b|--profile NAME)`, 'm').test(readme), name)
})

test('the tables of stages.md have every field of the schemas, with no others', (t) => {
  const text = pages.get('docs/stages.md') ?? ''
  const fieldsOf = (heading: string): string[] => {
    const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
    return [...section.matchAll(/^\| `([A-Za-z0-9]+)` \|/gm)].map(([, name]) => name ?? '').toSorted()
  }
  t.deepEqual(fieldsOf('stage.yaml'), Object.keys(stageFileSchema.shape).toSorted())
  t.deepEqual(fieldsOf('profile.yaml'), Object.keys(profileFileSchema.shape).toSorted())
})

test('every npm script in the documentation exists', async (t) => {
  const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> }
  for (const [page, text] of pages) {
    for (const [, name = ''] of text.matchAll(/`npm run ([a-z:]+)/g))
      t.truthy(scripts[name], `${page}: npm run ${name}`)
  }
  t.truthy(scripts.test)
})

test('the terminal picture shows no place of the machine that it was recorded on', async (t) => {
  const picture = await read('docs/terminal.svg')
  t.true(picture.includes('./pibake --profile pub'))
  t.true(picture.includes('Baked:'))
  const shown = [...picture.matchAll(/<tspan[^>]*>([^<]*)</g)].map(([, text]) => text ?? '')
  t.deepEqual(
    shown.filter((text) => /(?:^|[\s'`(])\/(?!boot\/|etc\/|usr\/|var\/lib\/)[\w.-]+\/|https?:/.test(text)),
    [],
  )
})
