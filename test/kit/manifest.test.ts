import test from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { assertPaths, formatManifest, parseManifest, pathFault, renderSums } from '../../builder/kit/manifest.ts'

const file = (path: string) => ({ path, sizeBytes: 3, sha256: hashBytes(path) })

const head = { pibake: '1.2.3', time: '2026-09-12T07:55:41.000Z', machines: ['x64' as const], profiles: ['pub'] }

for (const path of [
  'pibake',
  'pool/main/libs/libstdc++6/libstdc++6_14.2.0-19_arm64.deb',
  'pool/main/v/vim/vim_2%3a9.1-1~deb13u1_arm64.deb',
  'npm/@scope/thing-1.0.0.tgz',
  '.npmrc',
]) {
  test(`\`${path}\` may be on a stick`, (t) => t.is(pathFault(path), undefined))
}

for (const [path, fault] of [
  ['', 'is not in its shortest form'],
  ['/etc/passwd', 'is not in its shortest form'],
  ['../up', 'is not in its shortest form'],
  ['a/../b', 'is not in its shortest form'],
  ['a//b', 'is not in its shortest form'],
  ['a/./b', 'is not in its shortest form'],
  ['a\nb', 'has a control character in it'],
  ['a\u202eb', 'has a control character in it'],
  ['vim_2:9.1.deb', 'has a character in it that FAT has no place for'],
  ['a\\b', 'has a character in it that FAT has no place for'],
  ['a?', 'has a character in it that FAT has no place for'],
  ['name.', 'has a name that FAT would shorten'],
  ['name /x', 'has a name that FAT would shorten'],
  ['npm/con', 'is the name of a device on Windows'],
  ['npm/Aux.tgz', 'is the name of a device on Windows'],
  ['npm/com1-1.0.tgz', undefined],
  ['a'.repeat(201), 'is too long'],
] as const) {
  test(`of ${JSON.stringify(path.slice(0, 20))} is said: ${fault}`, (t) => t.is(pathFault(path), fault))
}

test('two paths that FAT takes for one are no kit', (t) => {
  t.throws(() => assertPaths([file('npm/JSONStream-1.tgz'), file('npm/jsonstream-1.tgz')]), { message: /cannot tell/ })
  t.notThrows(() => assertPaths([file('npm/JSONStream-1.tgz'), file('npm/jsonstream-2.tgz')]))
})

test('a manifest comes back as it was written, its files sorted', (t) => {
  const text = formatManifest({ ...head, files: [file('b'), file('a')] })
  t.deepEqual(parseManifest('/stick', text), { format: 'pibake-kit-1', ...head, files: [file('a'), file('b')] })
  t.is(text, formatManifest({ ...head, files: [file('a'), file('b')] }))
})

test('sums are those of sha256sum, the manifest first', (t) => {
  t.is(renderSums('text', [file('a')]), `${hashBytes('text')}  kit/kit.json\n${hashBytes('a')}  a\n`)
})

for (const [what, text, says] of [
  ['no JSON', '{', /no JSON/],
  ['another format', JSON.stringify({ format: 'pibake-kit-2', ...head, files: [] }), /cannot read/],
  ['a path that leads out', JSON.stringify({ format: 'pibake-kit-1', ...head, files: [file('../x')] }), /cannot read/],
  [
    'a size below nothing',
    JSON.stringify({ format: 'pibake-kit-1', ...head, files: [{ ...file('x'), sizeBytes: -1 }] }),
    /cannot read/,
  ],
  ['a field too many', JSON.stringify({ format: 'pibake-kit-1', ...head, files: [], more: 1 }), /cannot read/],
] as const) {
  test(`a manifest with ${what} is refused`, (t) => {
    const error = t.throws(() => parseManifest('/stick', text), { instanceOf: PibakeError })
    t.is(error?.code, 'KIT_INVALID')
    t.regex(error?.message ?? '', says)
  })
}
