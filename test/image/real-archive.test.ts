import { createHash } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { runTool } from '../../builder/host/sandbox.ts'
import { type ArchiveKind, readArchiveKind, unpackArchive } from '../../builder/image/archive.ts'
import { makeZip } from '../support/make-zip.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'

/** Noise with 24 MiB of zeros in it, and an end that no block divides. */
const noise = (seed: string): Buffer =>
  Buffer.concat(Array.from({ length: 4000 }, (_, index) => createHash('sha512').update(`${seed}${index}`).digest()))
const image = Buffer.concat([noise('a'), Buffer.alloc(24 << 20), noise('b'), Buffer.from('end')])

const packers: readonly [kind: Exclude<ArchiveKind, 'image'>, command: readonly string[]][] = [
  ['xz', ['xz', '--keep', '--threads=2', '--block-size=4MiB', '-1']],
  ['gz', ['gzip', '--keep']],
  ['zst', ['zstd', '-q']],
  ['zip', []],
]

const pack = async (folder: string, kind: ArchiveKind, command: readonly string[]): Promise<string> => {
  const plain = join(folder, 'pi.img')
  const path = `${plain}.${kind}`
  if (kind === 'zip') {
    await writeFile(path, makeZip([{ name: 'pi.img', data: image }]))
    return path
  }
  await writeFile(plain, image)
  await runTool(tools, [...command, plain], {
    writable: [folder],
  })
  return path
}

const unpack = async (path: string, destination: string) => {
  const kind = await readArchiveKind(path)
  if (kind === 'image') throw new Error('not recognised')
  const progress: [number, number][] = []
  await unpackArchive(path, kind, destination, {
    tools,
    label: 'pi.img',
    onProgress: (done, total) => progress.push([done, total]),
    signal: new AbortController().signal,
  })
  return progress
}

for (const [kind, command] of packers) {
  test(`unpacks .${kind} to the same bytes, with holes for zeros`, async (t) => {
    const folder = await scratch(t)
    const path = await pack(folder, kind, command)
    t.is(await readArchiveKind(path), kind)
    const destination = join(folder, 'unpacked.img')
    const progress = await unpack(path, destination)
    t.true(image.equals(await readFile(destination)))
    t.true((await stat(destination)).blocks * 512 < 2 << 20)
    const { size } = await stat(path)
    t.true(progress.length > 0)
    t.true(progress.every(([done, total]) => done <= total && total <= size))
  })

  test(`refuses .${kind} that is cut off or damaged`, async (t) => {
    const folder = await scratch(t)
    const path = await pack(folder, kind, command)
    const whole = await readFile(path)
    const changed = Buffer.from(whole)
    changed.fill(0x33, whole.length >> 2, (whole.length >> 2) + 64)
    for (const [name, bytes] of [
      ['cut', whole.subarray(0, whole.length - 1000)],
      ['half', whole.subarray(0, whole.length >> 1)],
      ['changed', changed],
    ] as const) {
      await writeFile(path, bytes)
      await t.throwsAsync(unpack(path, join(folder, name)), { code: 'IMAGE_INVALID', message: /damaged|cut off/ }, name)
    }
  })
}

test('several frames of zstd behind each other are one image', async (t) => {
  const folder = await scratch(t)
  const path = await pack(folder, 'zst', ['zstd', '-q'])
  const frame = await readFile(path)
  await writeFile(path, Buffer.concat([Buffer.from('502a4d180400000000000000', 'hex'), frame, frame]))
  await unpack(path, join(folder, 'twice'))
  t.is((await stat(join(folder, 'twice'))).size, 2 * image.length)
})
