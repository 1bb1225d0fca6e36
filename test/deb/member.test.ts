import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { writeAr } from '../../builder/deb/ar.ts'
import { extractAll, extractMember } from '../../builder/deb/member.ts'
import { packTar, type TreeEntry } from '../../builder/deb/pack-tar.ts'
import { temporaryFolder } from '../profile/_project.ts'

const program = Buffer.from('\x7fELF the program')
const entry = (text: string | Buffer, mode = 0o644): TreeEntry => ({ kind: 'file', mode, bytes: Buffer.from(text) })

/** A program, and a file of its name that is none. */
const content = new Map<string, TreeEntry>([
  ['usr/bin/tool', entry(program, 0o755)],
  ['usr/share/bash-completion/tool', entry('complete')],
  ['usr/share/doc/tool/README', entry('Read me')],
])

const tarOf = async (tree: ReadonlyMap<string, TreeEntry>): Promise<Buffer> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of packTar(new Map(tree), { timeSeconds: 0 })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** xz of the six bytes `hello\n`, as xz(1) writes it. */
const xzHello = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAFaGVsbG8KAAAApWCX8ZT2/eAAAR4GwS+kHR+2830BAAAAAARZWg==',
  'base64',
)

const extract = async (t: ExecutionContext, bytes: Buffer, member = 'tool'): Promise<string> => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'blob')
  const destination = join(folder, 'member')
  await writeFile(path, bytes)
  await extractMember(path, { label: 'mesh: tool', member, destination })
  return (await readFile(destination)).toString('latin1')
}

const debOf = async (t: ExecutionContext): Promise<Buffer> => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'tool.deb')
  const members = [
    { name: 'debian-binary', bytes: Buffer.from('2.0\n') },
    { name: 'control.tar.gz', bytes: gzipSync(await tarOf(new Map([['control', entry('Package: tool\n')]]))) },
    { name: 'data.tar.zst', bytes: zstdCompressSync(await tarOf(content)) },
  ]
  await writeAr(path, members, { timeSeconds: 0 })
  return readFile(path)
}

const forms: Record<string, (t: ExecutionContext) => Promise<Buffer>> = {
  'the bare file': async () => program,
  'the bare file, compressed': async () => zstdCompressSync(program),
  'a tar archive': () => tarOf(content),
  'a .tar.gz': async () => gzipSync(await tarOf(content)),
  'a .pkg.tar.zst': async () => zstdCompressSync(await tarOf(content)),
  'a .deb': debOf,
}

for (const [name, make] of Object.entries(forms)) {
  test(`out of ${name}: the program, not what is merely called so`, async (t) => {
    t.is(await extract(t, await make(t)), program.toString('latin1'))
  })
}

const extractedFrom = async (t: ExecutionContext, bytes: Buffer) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'blob')
  const destination = join(folder, 'all')
  await writeFile(path, bytes)
  const files = await extractAll(path, { label: 'web: client', destination })
  return Promise.all(
    files.map(async (file) => [file.path, file.executable, await readFile(join(destination, file.path), 'latin1')]),
  )
}

test('all of an archive, without the folder that all of it lies in', async (t) => {
  const release = new Map<string, TreeEntry>([
    ['client-v1/index.html', entry('page')],
    ['client-v1/bin/run', entry('run', 0o755)],
    ['client-v1/current', { kind: 'link', target: 'index.html' }],
  ])
  const files = [
    ['bin/run', true, 'run'],
    ['index.html', false, 'page'],
  ]
  t.deepEqual(await extractedFrom(t, gzipSync(await tarOf(release))), files)
  const flat = new Map([...release].map(([path, file]) => [path.slice('client-v1/'.length), file]))
  t.deepEqual(await extractedFrom(t, await tarOf(flat)), files)
})

const notUnpacked: Record<string, () => Promise<Buffer>> = {
  'is no archive': async () => program,
  'cannot be unpacked': async () => gzipSync(await tarOf(content)).subarray(0, 100),
  'holds no file': () => tarOf(new Map()),
  'holds files outside of itself': () => tarOf(new Map([['a/../../b', entry('stray')]])),
}

for (const [reason, make] of Object.entries(notUnpacked)) {
  test(`what ${reason} is refused`, async (t) => {
    const error = await t.throwsAsync(extractedFrom(t, await make()), { instanceOf: PibakeError })
    t.is(error?.code, 'CONFIG_INVALID')
    t.true(error?.message.includes(reason), error?.message)
  })
}

test('out of xz', async (t) => {
  t.is(await extract(t, xzHello), 'hello\n')
})

test('by path', async (t) => {
  t.is(await extract(t, await tarOf(content), 'usr/share/bash-completion/tool'), 'complete')
})

const refuses = async (t: ExecutionContext, bytes: Buffer, member?: string): Promise<PibakeError | undefined> => {
  const error = await t.throwsAsync(extract(t, bytes, member), { instanceOf: PibakeError, code: 'CONFIG_INVALID' })
  return error ?? undefined
}

test('no such file: its error lists what there is', async (t) => {
  const error = await refuses(t, await tarOf(content), 'other')
  t.is(error?.message, 'The artifact `mesh: tool` holds no file `other`.')
  t.deepEqual(error?.details, [...content.keys()])
})

test('two programs of one name', async (t) => {
  const two = new Map([...content, ['usr/local/bin/tool', entry('#!/bin/sh', 0o755)] as const])
  const error = await refuses(t, await tarOf(two))
  t.is(error?.message, 'The artifact `mesh: tool` holds 2 files called `tool`.')
  t.deepEqual(error?.details?.toSorted(), ['usr/bin/tool', 'usr/local/bin/tool'])
})

test('a damaged archive', async (t) => {
  const packed = gzipSync(await tarOf(content))
  t.is(
    (await refuses(t, packed.subarray(0, packed.length / 2)))?.message,
    'The artifact `mesh: tool` cannot be unpacked.',
  )
  t.is((await refuses(t, Buffer.from('!<arch>\nno more')))?.message, 'The artifact `mesh: tool` cannot be unpacked.')
})
