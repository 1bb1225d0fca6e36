import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import { openSigningKey, type SigningKey } from '../../builder/deb/signing-key.ts'
import { formatManifest, kitPaths, renderSums } from '../../builder/kit/manifest.ts'
import type { SourceFile } from '../../builder/kit/source-file.ts'
import { type KitPlan, type WriteOptions, writeKit } from '../../builder/kit/write.ts'
import { scratch } from '../support/scratch.ts'

export const never = new AbortController().signal

/** A key of the test's own. */
export const makeKey = async (t: ExecutionContext): Promise<SigningKey> =>
  openSigningKey(join(await scratch(t), 'key.asc'), { owner: 'the mill' })

/** What is on a small kit. */
export const contents: Readonly<Record<string, string>> = {
  pibake: '#!/bin/sh\n',
  'pool/main/n/nginx/nginx_1.0-1_arm64.deb': 'a web server',
  'pool/main/b/babeld/babeld_1.13-1_arm64.deb': 'a router',
  'npm/@scope/thing-1.0.0.tgz': 'a thing',
  'kit/pibake.tar.gz': 'pibake',
  'images/pub.img.xz': 'an image',
}

/** A kit with these files, signed by `key`. */
export const planOf = async (
  t: ExecutionContext,
  key: SigningKey,
  files: Readonly<Record<string, string>> = contents,
): Promise<KitPlan> => {
  const folder = await scratch(t)
  const listed = { ...files, [kitPaths.key]: key.publicKey }
  const sources: SourceFile[] = []
  for (const [path, text] of Object.entries(listed)) {
    const source = join(folder, path)
    await mkdir(dirname(source), { recursive: true })
    await writeFile(source, text)
    sources.push({ path, source, sizeBytes: Buffer.byteLength(text), sha256: hashBytes(text), label: path })
  }
  sources.sort((a, b) => (a.path < b.path ? -1 : 1))
  const manifest = formatManifest({
    pibake: '1.2.3',
    time: '2026-09-12T07:55:41.000Z',
    machines: ['x64'],
    profiles: ['pub'],
    files: sources,
  })
  const sums = renderSums(manifest, sources)
  return {
    files: sources,
    texts: new Map([
      [kitPaths.manifest, manifest],
      [kitPaths.sums, sums],
      [kitPaths.signature, (await key.sign(sums, 0)).detached],
    ]),
  }
}

export const write = (folder: string, plan: KitPlan, options: Partial<WriteOptions> = {}) =>
  writeKit(folder, plan, { recheck: false, onProgress: () => {}, signal: never, ...options })

/** A kit in a folder of its own. */
export const makeStick = async (t: ExecutionContext, key: SigningKey, plan?: KitPlan): Promise<string> => {
  const folder = await scratch(t)
  await write(folder, plan ?? (await planOf(t, key)))
  return folder
}

/** All files below a folder with what is in them, sorted by path. */
export const snapshot = async (folder: string): Promise<Record<string, string>> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
  return Object.fromEntries(
    await Promise.all(paths.map(async (path) => [path, await readFile(join(folder, path), 'utf8')])),
  )
}
