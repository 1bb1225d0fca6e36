import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { create } from 'tar'
import { hashBytes } from '../../builder/core/digest.ts'
import { hostMark, type RegistryPackage, writeNpmRegistry } from '../../builder/deb/npm-registry.ts'
import { installFrom, noNpm } from '../support/npm.ts'
import { scratch } from '../support/scratch.ts'

type Manifest = { name: string; version: string } & Record<string, unknown>

const makePackage = async (folder: string, manifest: Manifest): Promise<RegistryPackage> => {
  const cwd = join(folder, `${manifest.name}-${manifest.version}`)
  await mkdir(join(cwd, 'package'), { recursive: true })
  await writeFile(join(cwd, 'package', 'package.json'), JSON.stringify(manifest))
  await writeFile(join(cwd, 'package', 'index.js'), `module.exports = '${manifest.name} ${manifest.version}'\n`)
  const source = join(cwd, 'package.tgz')
  await create({ file: source, cwd, gzip: true, portable: true }, ['package'])
  const digest = await crypto.subtle.digest('SHA-512', await readFile(source))
  const integrity = `sha512-${Buffer.from(digest).toString('base64')}`
  return { name: manifest.name, version: manifest.version, integrity, source }
}

/** Serve a registry as the web server of a node does; returns its address. */
const serve = async (t: ExecutionContext, folder: string): Promise<string> => {
  const asked: string[] = []
  const server = createServer(async ({ url = '', headers }, response) => {
    const path = decodeURIComponent(url).replace(/^\/npm\//, '')
    asked.push(path)
    const isPackument = /^(@[^/]+\/)?[^/@]+$/.test(path)
    const bytes = await readFile(join(folder, isPackument ? join(path, 'packument.json') : path)).catch(() => undefined)
    response.statusCode = bytes ? 200 : 404
    response.end(isPackument ? String(bytes).replaceAll(hostMark, headers.host ?? '') : bytes)
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  t.teardown(() => server.close())
  const address = server.address()
  return `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : ''}/npm/`
}

const ifNpm = noNpm === undefined ? test : test.skip

ifNpm(`npm installs from it: ranges, scopes, commands${noNpm === undefined ? '' : ` (${noNpm})`}`, async (t) => {
  const root = await scratch(t)
  const packages = await Promise.all(
    [
      { name: 'village', version: '1.0.0', dependencies: { '@field/mill': '^1.0.0' }, bin: 'index.js' },
      { name: '@field/mill', version: '1.0.0' },
      { name: '@field/mill', version: '1.2.0' },
      { name: '@field/mill', version: '1.10.0' },
      { name: '@field/mill', version: '1.11.0-beta' },
      { name: '@field/mill', version: '2.0.0' },
    ].map((manifest) => makePackage(join(root, 'packages'), manifest)),
  )
  const folder = join(root, 'npm')
  await writeNpmRegistry(folder, [...packages, ...packages], { path: 'npm' })
  t.deepEqual((await readdir(join(folder, '@field/mill/-'))).sort(), [
    'mill-1.0.0.tgz',
    'mill-1.10.0.tgz',
    'mill-1.11.0-beta.tgz',
    'mill-1.2.0.tgz',
    'mill-2.0.0.tgz',
  ])
  const packument = JSON.parse(await readFile(join(folder, '@field/mill/packument.json'), 'utf8'))
  t.is(packument['dist-tags'].latest, '2.0.0')
  t.deepEqual(Object.keys(packument.versions), ['1.0.0', '1.2.0', '1.10.0', '1.11.0-beta', '2.0.0'])

  const registry = await serve(t, folder)
  const project = join(root, 'project')
  const lock = await installFrom(registry, project, 'village')
  t.is(lock.packages['node_modules/@field/mill']?.version, '1.10.0')
  t.is(lock.packages['node_modules/village']?.integrity, packages[0]?.integrity)
  t.is(lock.packages['node_modules/village']?.resolved, `${registry}village/-/village-1.0.0.tgz`)
  t.deepEqual(await readdir(join(project, 'node_modules/.bin')), ['village'])
  const text = await readFile(join(project, 'node_modules/@field/mill/index.js'), 'utf8')
  t.is(text, "module.exports = '@field/mill 1.10.0'\n")
})

test('a tarball without a package.json is named', async (t) => {
  const root = await scratch(t)
  const source = join(root, 'empty.tgz')
  await writeFile(join(root, 'file'), String(hashBytes('x')))
  await create({ file: source, cwd: root, gzip: true }, ['file'])
  const broken = { name: 'broken', version: '1.0.0', integrity: 'sha512-', source }
  const error = await t.throwsAsync(writeNpmRegistry(join(root, 'npm'), [broken], { path: 'npm' }), {
    code: 'DOWNLOAD_CORRUPT',
  })
  t.true(error?.message.includes('`broken 1.0.0`'))
})
