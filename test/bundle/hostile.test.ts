import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { importBundle } from '../../builder/bundle/bundle-import.ts'
import { openBundle } from '../../builder/bundle/bundle-open.ts'
import { pathFault } from '../../builder/bundle/bundle-path.ts'
import { profileBundle } from '../../builder/bundle/profile-bundle.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { exitCodeOf, PibakeError } from '../../builder/core/error.ts'
import { projectAt } from '../../builder/core/project.ts'
import { profileYaml, stageYaml, temporaryFolder } from '../profile/_project.ts'
import { type Crafted, craftAsar, craftBundle, type Entry, exportHub, makeHub, never } from './_bundle.ts'

const bring = async (t: ExecutionContext, bytes: Buffer) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'hub.asar')
  await writeFile(file, bytes)
  const root = join(folder, 'checkout')
  await mkdir(root)
  const run = importBundle({
    project: projectAt(root),
    file,
    overwrite: true,
    dryRun: false,
    emit: () => {},
    signal: never,
  })
  return { folder, file, root, run }
}

/** The import refuses with a sentence that matches, and leaves the disk as it was. */
const refuses = test.macro(async (t, make: () => Buffer | Promise<Buffer>, sentence: RegExp) => {
  const { folder, root, run } = await bring(t, await make())
  const error = await t.throwsAsync(run, { instanceOf: PibakeError })
  t.is(error?.code, 'BUNDLE_INVALID')
  t.is(exitCodeOf(error), 2)
  t.regex(error?.message ?? '', sentence)
  t.notRegex([error?.message, ...(error?.details ?? [])].join(''), /\p{Cc}/u)
  t.deepEqual((await readdir(folder)).sort(), ['checkout', 'hub.asar'])
  const left = await readdir(root, { recursive: true, withFileTypes: true })
  t.deepEqual(
    left.filter((entry) => !entry.isDirectory()),
    [],
  )
})

const plain = (content: string): Crafted => ({ content, mode: '0644' })

const lockText = JSON.stringify({
  version: 1,
  profile: 'hub',
  suite: 'trixie',
  architecture: 'arm64',
  request: hashBytes('request'),
  time: '2026-09-12T07:55:41.000Z',
  indexes: [],
  steps: [],
  extras: [],
  npm: {},
  artifacts: {},
})

/** A whole bundle by hand. */
const good: Readonly<Record<string, Crafted>> = {
  'stages/profiles/hub.yaml': plain(profileYaml('hub', 'stages: [web]')),
  'stages/web/stage.yaml': plain(stageYaml('web')),
  'stages/web/postinst': plain('true\n'),
  'overlays/web/usr/bin/web': { content: '#!/bin/sh\n', mode: '0755' },
  'packages-cache/locks/hub.lock.json': plain(lockText),
}
const target = 'stages/web/postinst'
const at = (change: (entry: Entry) => Entry) => (entry: Entry, path: string) =>
  path === target ? change(entry) : entry
const withFile = (path: string, content = 'x\n'): Buffer => craftBundle({ ...good, [path]: plain(content) })

test('the bundle that the others are made from is accepted', async (t) => {
  const { root, run } = await bring(t, craftBundle(good))
  t.true((await run).applied)
  t.is(await readFile(join(root, target), 'utf8'), 'true\n')
})

// Files that are no asar, or not all of one.
test('an empty file', refuses, () => Buffer.alloc(0), /too short/)
test('text', refuses, () => Buffer.from('<!doctype html><title>404</title>\n'), /no asar file/)
test('zeros', refuses, () => Buffer.alloc(4096), /no asar file/)
test('noise', refuses, () => Buffer.from(hashBytes('noise').repeat(64), 'hex'), /no asar file/)
test('a header without its end', refuses, () => craftBundle(good).subarray(0, 200), /cut off/)
test('data without its end', refuses, () => craftBundle(good).subarray(0, -1), /cut off/)
test('something after the end', refuses, () => Buffer.concat([craftBundle(good), Buffer.from('x')]), /no file/)
test(
  'a header of 4 GiB',
  refuses,
  () => craftAsar('{}', undefined, { headerSize: 0xfffffff0, payload: 0xffffffec }),
  /16 MiB/,
)
test('a payload that is not the header', refuses, () => craftAsar('{"files":{}}', undefined, { payload: 4 }), /no asar/)
test(
  'a text longer than its header',
  refuses,
  () => craftAsar('{"files":{}}', undefined, { text: 0x7fffffff }),
  /no asar/,
)
test('a text of negative length', refuses, () => craftAsar('{"files":{}}', undefined, { text: 0xffffffff }), /no asar/)
test('a header that is no JSON', refuses, () => craftAsar('{"files":'), /asar cannot read/)
test('a header that is a list', refuses, () => craftAsar('[]'), /asar cannot read/)
test('a header without files', refuses, () => craftAsar('{}'), /asar cannot read/)
test('an empty bundle', refuses, () => craftAsar('{"files":{}}'), /no `manifest\.json`/)
test(
  'a million folders in each other',
  refuses,
  () => {
    const depth = 1_000_000
    return craftAsar(`${'{"files":{"a":'.repeat(depth)}{"files":{}}${'}}'.repeat(depth)}`)
  },
  /16 MiB|asar cannot read/,
)
test(
  'a hundred thousand folders in each other',
  refuses,
  () => {
    const depth = 100_000
    return craftAsar(`${'{"files":{"a":'.repeat(depth)}{"files":{}}${'}}'.repeat(depth)}`)
  },
  /asar cannot read|20000/,
)
test(
  'too many folders',
  refuses,
  () => {
    const names = Array.from({ length: 20_001 }, (_, index) => `"f${index}":{"files":{}}`)
    return craftAsar(`{"files":{${names.join(',')}}}`)
  },
  /more than 20000/,
)

test('the bound of the header holds for a file that has room for it', async (t) => {
  const file = join(await temporaryFolder(t), 'bomb.asar')
  await writeFile(file, craftAsar('{}', undefined, { headerSize: 0xf0000000, payload: 0xeffffffc }))
  await truncate(file, 0x100000000)
  const error = await t.throwsAsync(openBundle(file, profileBundle), { instanceOf: PibakeError })
  t.regex(error?.message ?? '', /16 MiB/)
})

// Paths.
const paths: readonly (readonly [string, RegExp | undefined])[] = [
  ['stages/web/a b', undefined],
  ['stages/web/..a', undefined],
  ['stages/web/ü', undefined],
  ['overlays/web/a', undefined],
  ['stages/profiles/pub.yaml', undefined],
  ['packages-cache/locks/pub.lock.json', undefined],
  ['/stages/web/a', /absolute/],
  ['stages/../web', /`\.\.`/],
  ['../stages/web/a', /`\.\.`/],
  ['stages/web/..', /`\.\.`/],
  ['stages/web/./a', /shortest/],
  ['stages/web//a', /shortest/],
  ['stages/web/', /shortest/],
  ['', /shortest/],
  ['stages/web/a\\b', /backslash/],
  ['stages/web/a\nb', /control/],
  ['stages/web/a\u0000', /control/],
  ['stages/web/a\u001b[2J', /control/],
  ['stages/web/a\u202eb', /control/],
  ['stages/web/a\ud800', /control/],
  [`stages/web/${'a'.repeat(256)}`, /name/],
  [`stages/web/${'aaaaaaaaa/'.repeat(103)}a`, /too long/],
  ['stages/web', /is not in/],
  ['stages/Web/a', /is not in/],
  ['stages/.git/a', /is not in/],
  ['stages/profiles/a/b.yaml', /is not in/],
  ['stages/profiles/.yaml', /is not in/],
  ['stages/profiles/stage.yaml/x', /is not in/],
  ['stages/schema/stage.schema.json', /is not in/],
  ['stages/web/npm/node_modules', /is not in/],
  ['stages/web/npm/node_modules/x/y', /is not in/],
  ['overlays/web', /is not in/],
  ['packages-cache/locks/x.json', /is not in/],
  ['packages-cache/locks/a/x.lock.json', /is not in/],
  ['packages-cache/blobs/x', /is not in/],
  ['builder/main.ts', /is not in/],
  ['package.json', /is not in/],
  ['.pibake/node/bin/node', /is not in/],
  ['pibake', /is not in/],
]
for (const [path, fault] of paths) {
  test(`a path: ${JSON.stringify(path.slice(0, 50))}`, (t) => {
    const found = pathFault(path)
    if (fault) t.regex(found ?? '', fault)
    else t.is(found, undefined)
  })
}
test('a file outside', refuses, () => withFile('builder/main.ts'), /path that is not in a stage/)
test(
  'a file named by a control sequence',
  refuses,
  () => withFile('stages/web/\u001b[2Jx'),
  /control character.*\\u\{1b\}/,
)
const hash = hashBytes('')
const empty = { size: 0, offset: '0', integrity: { algorithm: 'SHA256', hash, blockSize: 1, blocks: [] } }
const beside = (root: Entry): Entry => {
  // An own key of this name, since the crafted folders have no prototype.
  return Object.defineProperty(root, '__proto__', { value: { files: { 'stage.yaml': empty } }, enumerable: true })
}
test(
  'a folder named like a prototype',
  refuses,
  () => craftBundle(good, { root: beside }),
  /path that .*`__proto__\/stage/,
)
test(
  'a file named like a prototype',
  refuses,
  () => {
    const path = 'stages/web/__proto__'
    const list = (entries: { path: string }[]) => entries.filter((entry) => entry.path !== path)
    return craftBundle({ ...good, [path]: plain('x') }, { list })
  },
  /`stages\/web\/__proto__`, which its manifest does not list/,
)
test(
  'a name with a slash',
  refuses,
  () => {
    return craftBundle(good, { root: (root) => ({ ...root, 'stages/web': { files: {} } }) })
  },
  /asar cannot read/,
)
test(
  'a name that leads up',
  refuses,
  () => {
    return craftBundle(good, { root: (root) => ({ ...root, '..': { files: {} } }) })
  },
  /asar cannot read/,
)
test(
  'a name that is empty',
  refuses,
  () => {
    return craftBundle(good, { root: (root) => ({ ...root, '': { size: 0, offset: '0' } }) })
  },
  /describes|path that/,
)

// Entries.
test(
  'a link',
  refuses,
  () => craftBundle(good, { entry: at(() => ({ link: 'stages/web/stage.yaml' })) }),
  /holds a link/,
)
test(
  'a link that is a file as well',
  refuses,
  () => craftBundle(good, { entry: at((e) => ({ ...e, link: '/etc' })) }),
  /link/,
)
test(
  'a file kept outside',
  refuses,
  () => {
    return craftBundle(good, { entry: at(({ size, integrity }) => ({ size, integrity, unpacked: true })) })
  },
  /outside of itself/,
)
test(
  'a folder kept outside',
  refuses,
  () => {
    return craftBundle(good, { root: (root) => ({ ...root, stages: { ...(root.stages as Entry), unpacked: true } }) })
  },
  /outside of itself/,
)
test(
  'a file that is a folder',
  refuses,
  () => {
    return craftBundle(good, { entry: at((entry) => ({ ...entry, files: {} })) })
  },
  /describes/,
)
const integrity = { algorithm: 'MD5', hash: 'x', blockSize: 1, blocks: [] }
for (const [what, change] of Object.entries<Entry>({
  'a negative size': { size: -1 },
  'a broken size': { size: 1.5 },
  'a size beyond numbers': { size: 1e300 },
  'a negative offset': { offset: '-1' },
  'an offset of many digits': { offset: '9'.repeat(30) },
  'an offset in another notation': { offset: '007' },
  'no hash': { integrity: undefined },
  'another hash function': { integrity },
  'an unknown key': { uid: 0 },
  'a mode in the header': { mode: 0o4755 },
})) {
  test(
    what,
    refuses,
    () => craftBundle(good, { entry: at((e) => ({ ...e, ...change })) }),
    /describes|asar cannot read/,
  )
}
test(
  'an offset past the end',
  refuses,
  () => {
    return craftBundle(good, { entry: at((entry) => ({ ...entry, offset: '99999999' })) })
  },
  /gap/,
)
test(
  'an offset into another file',
  refuses,
  () => {
    return craftBundle(good, { entry: at((entry) => ({ ...entry, offset: '1' })) })
  },
  /overlap/,
)
test(
  'files larger than a bundle may be',
  refuses,
  () => {
    return craftBundle(good, { entry: at((entry) => ({ ...entry, size: 513 * 1024 * 1024 })) })
  },
  /512 MiB/,
)
test(
  'the same bytes a thousand times',
  refuses,
  () => {
    const same = plain('x'.repeat(1024 * 1024))
    const many = Object.fromEntries(Array.from({ length: 600 }, (_, index) => [`stages/web/f${index}`, same]))
    // Every one of them states the place of the first.
    let first: unknown
    return craftBundle(
      { ...good, 'stages/web/f': same },
      {
        root: (root) => {
          const web = ((root.stages as { files: Entry }).files.web as { files: Entry }).files
          first = web.f
          for (const path of Object.keys(many)) web[path.slice('stages/web/'.length)] = first
          return root
        },
      },
    )
  },
  /512 MiB/,
)

// Manifest.
test('no manifest', refuses, () => craftBundle(good, { manifest: () => undefined }), /no `manifest\.json`/)
test(
  'a manifest that is no JSON',
  refuses,
  () => {
    const bytes = craftBundle(good).toString('latin1')
    return Buffer.from(bytes.replace('{"format"', '!"format"'), 'latin1')
  },
  /damaged: `manifest\.json`/,
)
test('a manifest that is a number', refuses, () => craftBundle(good, { manifest: () => 1 }), /does not understand/)
test(
  'a later format',
  refuses,
  () => craftBundle(good, { manifest: (m) => ({ ...m, format: 'pibake-bundle-2' }) }),
  /format/,
)
test(
  'an unknown key of the manifest',
  refuses,
  () => craftBundle(good, { manifest: (m) => ({ ...m, x: 1 }) }),
  /understand/,
)
test(
  'a profile that is a path',
  refuses,
  () => craftBundle(good, { manifest: (m) => ({ ...m, profile: '/x' }) }),
  /understand/,
)
for (const mode of ['0600', '0777', '4755', '0o755', '755', 493]) {
  const list = (entries: { path: string }[]) => entries.map((e) => (e.path === target ? { ...e, mode } : e))
  test(`mode ${mode}`, refuses, () => craftBundle(good, { list }), /does not understand/)
}
test(
  "a mode that is not the header's",
  refuses,
  () => {
    return craftBundle(good, { entry: at((entry) => ({ ...entry, executable: true })) })
  },
  /two modes/,
)
test(
  'a file that is not listed',
  refuses,
  () => {
    return craftBundle(good, { list: (list) => list.filter(({ path }) => path !== target) })
  },
  /does not list/,
)
test(
  'a file that is listed only',
  refuses,
  () => {
    const more = { path: '../../etc/passwd', mode: '0644', sizeBytes: 0, sha256: hashBytes('') }
    return craftBundle(good, { list: (list) => [...list, more] })
  },
  /lists `\.\.\/\.\.\/etc\/passwd`, which is not in it/,
)
test(
  'a file that is listed twice',
  refuses,
  () => craftBundle(good, { list: (list) => [...list, ...list] }),
  /second time/,
)
test(
  'the manifest in the manifest',
  refuses,
  () => {
    const more = { path: 'manifest.json', mode: '0644', sizeBytes: 0, sha256: hashBytes('') }
    return craftBundle(good, { list: (list) => [...list, more] })
  },
  /second time/,
)
test(
  'two sizes',
  refuses,
  () => {
    return craftBundle(good, { list: (list) => list.map((e) => (e.path === target ? { ...e, sizeBytes: 6 } : e)) })
  },
  /two sizes/,
)
test(
  'two hashes',
  refuses,
  () => {
    return craftBundle(good, {
      list: (list) => list.map((e) => (e.path === target ? { ...e, sha256: hashBytes('x') } : e)),
    })
  },
  /two hashes/,
)
test(
  'other content of the same size',
  refuses,
  () => {
    return craftBundle(good, { data: (data) => Buffer.from(data.toString().replace('true\n', 'evil\n')) })
  },
  /damaged: `stages\/web\/postinst`/,
)

// What the files say.
const having = (changes: Readonly<Record<string, string>>): Buffer =>
  craftBundle({ ...good, ...Object.fromEntries(Object.entries(changes).map(([path, text]) => [path, plain(text)])) })
const without = (path: string): Buffer =>
  craftBundle(Object.fromEntries(Object.entries(good).filter(([key]) => key !== path)))

test(
  'a stage that no profile uses',
  refuses,
  () => having({ 'stages/first-boot/stage.yaml': stageYaml('first-boot') }),
  /does not use/,
)
test('an overlay that no stage uses', refuses, () => withFile('overlays/ssh/etc/x'), /does not use/)
test('a profile beside it', refuses, () => having({ 'stages/profiles/pub.yaml': profileYaml('pub') }), /does not use/)
test(
  'a lock of another profile',
  refuses,
  () => having({ 'packages-cache/locks/pub.lock.json': lockText }),
  /does not use/,
)
test(
  'a lock of tools that is none',
  refuses,
  () => having({ 'packages-cache/locks/tools-trixie-amd64.lock.json': lockText }),
  /cannot use/,
)
test(
  'a lock that names another profile',
  refuses,
  () => {
    return having({ 'packages-cache/locks/hub.lock.json': lockText.replace('"hub"', '"pub"') })
  },
  /lock of another profile/,
)
test('a lock that is broken', refuses, () => having({ 'packages-cache/locks/hub.lock.json': '{}' }), /cannot use/)
test('no lock', refuses, () => without('packages-cache/locks/hub.lock.json'), /no lock/)
test('no profile', refuses, () => without('stages/profiles/hub.yaml'), /cannot use/)
test('no stage', refuses, () => without('stages/web/stage.yaml'), /cannot use/)
test('a stage that is broken', refuses, () => having({ 'stages/web/stage.yaml': 'name: [' }), /cannot use/)
test(
  'a profile that extends a file outside',
  refuses,
  () => {
    return having({ 'stages/profiles/hub.yaml': profileYaml('hub', 'extends: /etc/os-release', 'stages: [web]') })
  },
  /cannot use/,
)
test(
  'a stage that takes a file from outside',
  refuses,
  () => {
    const artifact = `  - {name: x, sha256: ${hashBytes('')}, file: a/../../../../../etc/shadow, url: 'https://x.example/x', path: /opt/x}`
    return having({ 'stages/web/stage.yaml': stageYaml('web', 'artifacts:', artifact) })
  },
  /from outside its folder/,
)

test('a pipe and a folder are no bundles, and nothing waits for them', async (t) => {
  const folder = await temporaryFolder(t)
  execFileSync('/usr/bin/mkfifo', [join(folder, 'pipe')])
  for (const file of [folder, join(folder, 'pipe'), '/dev/zero']) {
    t.is(
      (await t.throwsAsync(openBundle(file, profileBundle), { instanceOf: PibakeError }))?.code,
      'BUNDLE_INVALID',
      file,
    )
  }
  t.is(
    (await t.throwsAsync(openBundle(join(folder, 'none'), profileBundle), { instanceOf: PibakeError }))?.code,
    'USAGE',
  )
})

test('whatever byte of a bundle is changed, it is refused', async (t) => {
  const project = await makeHub(t)
  const file = join(project.root, 'hub.asar')
  await exportHub(project, file)
  const bytes = await readFile(file)
  const step = 97
  for (let index = 0; index < bytes.length; index += step) {
    const changed = Buffer.from(bytes)
    changed[index] = (changed[index] ?? 0) ^ 1
    await writeFile(file, changed)
    const whole = (async () => {
      await using bundle = await openBundle(file, profileBundle)
      for (const entry of bundle.manifest.files) for await (const _chunk of bundle.read(entry));
    })()
    const error = await whole.then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    // The header keeps hashes of blocks that nothing here reads.
    if (error === undefined) t.regex(bytes.subarray(index - 100, index + 100).toString(), /"blockSize"|"blocks"/)
    else t.is((error as PibakeError).code, 'BUNDLE_INVALID', String(index))
  }
})
