import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { hostArchitecture } from '../../builder/host/architecture.ts'
import { layTwins, patchArchitecture, type TargetPackages } from '../../builder/root/twins.ts'
import { writeFiles } from '../profile/_project.ts'
import { scratch } from '../support/scratch.ts'

const patchCases: readonly (readonly [what: string, program: string, expected: string | undefined])[] = [
  ['the word alone', 'x\0amd64\0y', 'x\0arm64\0y'],
  ['no such word', 'x\0y', undefined],
  ['the word inside another', 'x\0amd64-linux\0y', undefined],
  ['the word at the end of another', 'linux-amd64\0', undefined],
  ['the word twice', '\0amd64\0..\0amd64\0', undefined],
  ['the word twice with one end between', '\0amd64\0amd64\0', undefined],
  ['the word beside longer ones', 'any-amd64\0amd64-linux\0amd64\0', 'any-amd64\0amd64-linux\0arm64\0'],
]

for (const [what, program, expected] of patchCases) {
  test(`the architecture of a dpkg program: ${what}`, (t) => {
    const before = Buffer.from(program, 'latin1')
    t.is(patchArchitecture(before, 'amd64', 'arm64')?.toString('latin1'), expected)
    t.is(before.toString('latin1'), program, 'the original is untouched')
  })
}

const foreign = hostArchitecture() === 'arm64' ? 'amd64' : 'arm64'

/** Lay the twins of a small native tree for a target; which there are, and their folder. */
const lay = async (t: ExecutionContext, target: Record<string, [before?: string | undefined, added?: string]>) => {
  const root = await scratch(t)
  const native = join(root, 'native')
  const programs = ['bash', 'sed', 'perl', 'dpkg', 'dpkg-deb', 'apt']
  const files = programs.map((name) => [`usr/bin/${name}`, { executable: `native ${name}\0${hostArchitecture()}\0` }])
  const versions = { bash: '5.2', sed: '4.9', 'perl-base': '5.40', 'libperl5.40': '5.40', dpkg: '1.22', apt: '3.0' }
  const packages = Object.fromEntries(Object.entries(versions).map(([name, version]) => [name, { version, files: [] }]))
  await writeFiles(native, { ...Object.fromEntries(files), '.pibake-packages.json': JSON.stringify(packages) })
  const entries = Object.entries(target)
  const pick = (at: 0 | 1): Map<string, string> =>
    new Map(entries.flatMap(([name, pair]) => (pair[at] === undefined ? [] : [[name, pair[at]]])))
  const packagesOfTarget: TargetPackages = { before: pick(0), added: pick(1) }
  const destination = join(root, 'twins')
  const options = { native: { root: native }, architecture: foreign, target: packagesOfTarget, destination } as const
  const count = await layTwins(options)
  const names = (await readdir(join(destination, 'usr/bin')).catch(() => [])).sort()
  const hasPerlMark = (await readdir(destination)).includes('.perl-library')
  return { count, names, hasPerlMark, destination, native, options }
}

test('a package of the same version has twins, installed before or just now', async (t) => {
  const { names, count } = await lay(t, { bash: ['5.2'], sed: [undefined, '4.9'] })
  t.deepEqual(names, ['bash', 'sed'])
  t.is(count, 2)
})

const without: Record<string, [before?: string | undefined, added?: string]> = {
  'another version': ['5.1'],
  'a version that the step brings up': ['5.1', '5.2'],
  'a version that the step takes away': ['5.2', '5.3'],
  'no such package in the target': [],
}

for (const [what, pair] of Object.entries(without)) {
  test(`no twin for ${what}`, async (t) => {
    const { names } = await lay(t, { bash: pair, sed: ['4.9'] })
    t.deepEqual(names, ['sed'])
  })
}

test('a package installed again in the same version keeps its twin', async (t) => {
  t.deepEqual((await lay(t, { bash: ['5.2', '5.2'] })).names, ['bash'])
})

test('a program that is on no list has no twin', async (t) => {
  t.deepEqual((await lay(t, { apt: ['3.0'] })).names, [])
})

test('the twins of dpkg are copies that report the target; the tree keeps its own', async (t) => {
  const { names, destination, native } = await lay(t, { dpkg: ['1.22'] })
  t.deepEqual(names, ['dpkg', 'dpkg-deb'])
  t.is(await readFile(join(destination, 'usr/bin/dpkg'), 'latin1'), `native dpkg\0${foreign}\0`)
  t.is(await readFile(join(native, 'usr/bin/dpkg'), 'latin1'), `native dpkg\0${hostArchitecture()}\0`)
  t.is((await stat(join(destination, 'usr/bin/dpkg'))).mode & 0o777, 0o755)
})

const perl: readonly (readonly [
  what: string,
  target: Record<string, [before?: string | undefined, added?: string]>,
  names: string[],
  mark: boolean,
])[] = [
  ['without its library', { 'perl-base': ['5.40'] }, ['perl'], false],
  ['with its library there before', { 'perl-base': ['5.40'], 'libperl5.40': ['5.40'] }, ['perl'], true],
  ['while its library is being unpacked', { 'perl-base': ['5.40'], 'libperl5.40': [undefined, '5.40'] }, [], false],
  ['with a library of another version', { 'perl-base': ['5.40'], 'libperl5.40': ['5.38'] }, ['perl'], false],
]

for (const [what, target, names, mark] of perl) {
  test(`perl ${what}`, async (t) => {
    const laid = await lay(t, target)
    t.deepEqual(laid.names, names)
    t.is(laid.hasPerlMark, mark)
  })
}

test('what an earlier step laid is gone', async (t) => {
  const { options, destination } = await lay(t, { bash: ['5.2'], sed: ['4.9'] })
  t.is(await layTwins({ ...options, target: { before: new Map([['sed', '4.9']]), added: new Map() } }), 1)
  t.deepEqual(await readdir(join(destination, 'usr/bin')), ['sed'])
})
