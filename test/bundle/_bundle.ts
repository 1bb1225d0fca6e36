import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { exportBundle } from '../../builder/bundle/bundle-export.ts'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import type { Project } from '../../builder/core/project.ts'
import { lockPath, writeLock } from '../../builder/lock/file.ts'
import { profileRequest } from '../../builder/lock/profile-request.ts'
import { requestDigest } from '../../builder/lock/request.ts'
import type { LockedDeb } from '../../builder/lock/schema.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import { lock } from '../lock/_lock.ts'
import { type FileSpec, makeProject, profileYaml, stageYaml } from '../profile/_project.ts'

export const never = new AbortController().signal

/** A checkout with the profile `hub`, which extends `root` and has the stages `wiki` and, through that, `web`. */
export const hubFiles: Readonly<Record<string, FileSpec>> = {
  'stages/profiles/root.yaml': profileYaml('root', 'suite: trixie'),
  'stages/profiles/hub.yaml': profileYaml('hub', 'extends: root', 'stages: [wiki]'),
  'stages/web/stage.yaml': stageYaml('web', 'checks:', '  - {name: up, title: It answers, run: up}'),
  'stages/web/README.md': 'How the web works.\n',
  'stages/web/checks/up': { executable: '#!/bin/sh\ntrue\n' },
  'stages/wiki/stage.yaml': stageYaml('wiki', 'needs: [web]', 'packages: [nginx]'),
  'stages/wiki/npm/package.json': '{}\n',
  'stages/wiki/npm/package-lock.json': '{}\n',
  'stages/wiki/npm/node_modules/left/over.js': 'left\n',
  'overlays/wiki/etc/empty': '',
  'overlays/wiki/etc/one': 'the same text\n',
  'overlays/wiki/etc/two': 'the same text\n',
  'overlays/wiki/usr/bin/wiki': { executable: '#!/bin/sh\necho wiki\n' },
  'stages/other/stage.yaml': stageYaml('other'),
  'overlays/other/etc/other': 'other\n',
}

/** What of them belongs to `hub`, with its locks. */
export const hubPaths = [
  'overlays/wiki/etc/empty',
  'overlays/wiki/etc/one',
  'overlays/wiki/etc/two',
  'overlays/wiki/usr/bin/wiki',
  'packages-cache/locks/hub.lock.json',
  'packages-cache/locks/tools-trixie-riscv64.lock.json',
  'stages/profiles/hub.yaml',
  'stages/profiles/root.yaml',
  'stages/web/README.md',
  'stages/web/checks/up',
  'stages/web/stage.yaml',
  'stages/wiki/npm/package-lock.json',
  'stages/wiki/npm/package.json',
  'stages/wiki/stage.yaml',
]

const toolsLock = {
  version: 1,
  suite: 'trixie',
  architecture: 'riscv64',
  request: hashBytes('tools'),
  time: '2026-09-12T07:55:41.000Z',
  indexes: [],
  first: [],
  debs: [],
}

/** A package, as it is locked, whose content is this text. */
export const lockedDeb = (content: string): LockedDeb => ({
  name: content.split(' ')[0] ?? '',
  version: '1',
  architecture: 'arm64',
  path: `pool/main/${hashBytes(content)}.deb`,
  archive: 'main',
  sizeBytes: Buffer.byteLength(content),
  sha256: hashBytes(content),
})

/** Put a text into the cache. */
export const put = async (project: Project, content: string): Promise<void> => {
  await using blob = await openBlobs(project.cache).beginBlob()
  await blob.write(Buffer.from(content))
  await blob.commit(hashBytes(content))
}

/** Lock a profile of a small checkout, and the tools of some machine. */
export const lockProfile = async (project: Project, name: string): Promise<void> => {
  const request = requestDigest(profileRequest(await resolveProfile(project, name), undefined))
  await writeLock(lockPath(project.locks, name), { ...lock, profile: name, request })
  await writeFile(join(project.locks, 'tools-trixie-riscv64.lock.json'), `${JSON.stringify(toolsLock)}\n`)
}

/** The checkout with `hub`, locked. */
export const makeHub = async (t: ExecutionContext, more: Readonly<Record<string, FileSpec>> = {}): Promise<Project> => {
  const project = await makeProject(t, { ...hubFiles, ...more })
  await lockProfile(project, 'hub')
  return project
}

export const exportHub = (project: Project, destination: string, { profile = 'hub', packages = false } = {}) =>
  exportBundle({ project, profile, packages, pibake: '1.2.3', destination, emit: () => {}, signal: never })

/** An asar made by hand: a header of any text, then data. Every number in front of it can be given. */
export const craftAsar = (
  header: string | Buffer,
  data: Buffer = Buffer.alloc(0),
  numbers: { first?: number; headerSize?: number; payload?: number; text?: number } = {},
): Buffer => {
  const text = Buffer.from(header)
  const padded = Math.ceil(text.length / 4) * 4
  const front = Buffer.alloc(16)
  front.writeUInt32LE(numbers.first ?? 4, 0)
  front.writeUInt32LE(numbers.headerSize ?? padded + 8, 4)
  front.writeUInt32LE(numbers.payload ?? padded + 4, 8)
  front.writeUInt32LE(numbers.text ?? text.length, 12)
  return Buffer.concat([front, text, Buffer.alloc(padded - text.length), data])
}

export interface Crafted {
  content: string
  mode: string
}
export type Entry = Record<string, unknown>
interface ManifestEntry extends Entry {
  path: string
}

/**
 * A bundle made by hand that is right in all respects but those that `entry`, `list` and `manifest` change: the entry of
 * each file in the header, the list in the manifest, the manifest
 * (none when that gives undefined).
 */
export const craftBundle = (
  files: Readonly<Record<string, Crafted>>,
  tweak: {
    entry?: (entry: Entry, path: string) => Entry
    list?: (list: ManifestEntry[]) => unknown[]
    manifest?: (manifest: Entry) => unknown
    data?: (data: Buffer) => Buffer
    root?: (root: Entry) => Entry
  } = {},
): Buffer => {
  const list = Object.entries(files).map(([path, { content, mode }]) => ({
    path,
    mode,
    sizeBytes: Buffer.byteLength(content),
    sha256: hashBytes(content),
  }))
  const right = { format: 'pibake-bundle-1', profile: 'hub', pibake: '1.2.3', files: tweak.list?.(list) ?? list }
  const manifest = tweak.manifest ? tweak.manifest(right) : right
  const stored: Record<string, Crafted> = {
    ...(manifest === undefined ? {} : { 'manifest.json': { content: JSON.stringify(manifest), mode: '0644' } }),
    ...files,
  }
  let offset = 0
  const root: Entry = Object.create(null) as Entry
  for (const [path, { content, mode }] of Object.entries(stored)) {
    const size = Buffer.byteLength(content)
    const hash = hashBytes(content)
    const entry: Entry = {
      size,
      offset: String(offset),
      ...(mode === '0755' ? { executable: true } : {}),
      integrity: { algorithm: 'SHA256', hash, blockSize: 4_194_304, blocks: [hash] },
    }
    offset += size
    place(root, path.split('/'), tweak.entry?.(entry, path) ?? entry)
  }
  const data = Buffer.concat(Object.values(stored).map(({ content }) => Buffer.from(content)))
  return craftAsar(JSON.stringify({ files: tweak.root?.(root) ?? root }), tweak.data?.(data) ?? data)
}

const place = (folder: Entry, [name = '', ...rest]: readonly string[], entry: Entry): void => {
  if (rest.length === 0) {
    folder[name] = entry
    return
  }
  folder[name] ??= { files: Object.create(null) as Entry }
  place((folder[name] as { files: Entry }).files, rest, entry)
}
