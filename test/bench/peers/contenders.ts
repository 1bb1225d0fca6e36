import { appendFile, cp, link, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readDpkg } from '../../../builder/inspect/dpkg.ts'
import { readImageTree } from '../../../builder/inspect/image-tree.ts'
import type { LockedDeb } from '../../../builder/lock/schema.ts'
import { type Cost, costOf } from './cost.ts'
import type { Peer, PeerHost } from './host.ts'
import { openRoom, type Room } from './room.ts'

/** What one builder takes for the same work. */
export interface Figures {
  /** From packages to an image; nothing else is there. */
  fresh: Cost
  /** The same command again. */
  again: Cost
  /** The same command, after a line was added to one file. */
  edit: Cost
  /** From a finished tree to an image, in milliseconds. */
  imageMs: number
}

/** What every peer is given. */
export interface Task {
  host: PeerHost
  /** Folder of this machine that all rooms are below. */
  folder: string
  mirror: string
  /** The project's own files that go onto the image. */
  files: string
  /** The one of them, by its path below `files`, that is edited. */
  editedFile: string
  /** What has to be installed at the end, in which versions. */
  debs: readonly LockedDeb[]
  /** What recipes read from their environment. */
  environment: Readonly<Record<string, string>>
  signal: AbortSignal
}

const imageOf = (peer: Peer): string => (peer === 'mkosi' ? 'out/image.raw' : 'image.img')

/** Check that an image has exactly the packages of the lock, so that all have done the same. */
const assertPackages = async (path: string, debs: readonly LockedDeb[]): Promise<void> => {
  await using tree = await readImageTree(path)
  const found = tree.partitions.flatMap(({ volume }) => (volume ? readDpkg(volume) : []))
  const wanted = new Set(debs.map(({ name, version }) => `${name} ${version}`))
  const installed = new Set(found.map(({ name, version }) => `${name} ${version}`))
  const wrong = [...wanted.symmetricDifference(installed)].sort()
  if (wrong.length > 0) throw new Error(`${path} has other packages than the lock: ${wrong.join(', ')}`)
}

const openPeerRoom = (task: Task, name: string): Promise<Room> =>
  openRoom({ ...task, host: task.host.tree, path: join(task.folder, name) })

/** The finished tree that images are written from, as mmdebstrap leaves it. */
const treePath = ({ folder }: Task): string => join(folder, 'tree')

/** How long a peer takes to write the image of the tree that is common to those that can do only that. */
const imageMs = async (task: Task, room: Room, peer: Peer): Promise<number> => {
  await rename(treePath(task), join(room.path, 'tree'))
  const { cost } = await costOf(task.folder, () => room.start(`${peer}/image`, ['/bench/tree']))
  await rename(join(room.path, 'tree'), treePath(task))
  return cost.wallMs
}

/**
 * Let one peer do it all. mmdebstrap keeps nothing, so all its runs are the first; and only it and mkosi write an image
 * from a tree: the others' second run is just that. The tree of mmdebstrap stays for mkosi, which comes after it.
 */
export const runPeer = async (task: Task, peer: Peer): Promise<Figures> => {
  await using room = await openPeerRoom(task, peer)
  await cp(task.files, join(room.path, 'files'), { recursive: true })
  const build = async (): Promise<Cost> => (await costOf(task.folder, () => room.start(`${peer}/build`))).cost
  const fresh = await build()
  await assertPackages(join(room.path, imageOf(peer)), task.debs)
  if (peer === 'mmdebstrap') {
    await rename(join(room.path, 'tree'), treePath(task))
    return { fresh, again: fresh, edit: fresh, imageMs: await imageMs(task, room, peer) }
  }
  const again = await build()
  await appendFile(join(room.path, 'files', task.editedFile), '# 1\n')
  const edit = await build()
  return { fresh, again, edit, imageMs: peer === 'mkosi' ? await imageMs(task, room, peer) : again.wallMs }
}

/** Compress an image as mkosi would. Returns what that took and how large the archive is. */
export const compressAsPeer = async (
  task: Task,
  image: string,
  form: 'zst' | 'xz',
): Promise<{ wallMs: number; sizeBytes: number }> => {
  await using room = await openPeerRoom(task, 'compress')
  await link(image, join(room.path, 'image.img'))
  const { cost } = await costOf(task.folder, () => room.start('mkosi/compress', ['/bench/image.img', form]))
  const { size } = await stat(join(room.path, `image.img.${form}`))
  return { wallMs: cost.wallMs, sizeBytes: size }
}
