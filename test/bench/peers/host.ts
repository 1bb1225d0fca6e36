import { join } from 'node:path'
import { openBlobs } from '../../../builder/cache/blobs.ts'
import type { Emit } from '../../../builder/core/event.ts'
import { openDebianSource } from '../../../builder/fetch/debian-source.ts'
import { findMirrors } from '../../../builder/fetch/mirror.ts'
import { fetchText } from '../../../builder/fetch/text.ts'
import { fetchTools } from '../../../builder/fetch/tools.ts'
import { hostArchitecture } from '../../../builder/host/architecture.ts'
import type { Tools } from '../../../builder/host/sandbox.ts'
import { toolsSuite } from '../../../builder/host/tools-packages.ts'
import { readToolsLock, writeToolsLock } from '../../../builder/lock/file.ts'
import { openToolsTree } from '../../../builder/lock/tools-tree.ts'

/** What pibake is held against, by the names of their Debian packages. */
export const peers = ['mmdebstrap', 'mkosi', 'vmdb2', 'debos'] as const
export type Peer = (typeof peers)[number]

/** What a machine has on which someone works with the peers: Debian, the peers, and what they recommend for the task. */
const hostPackages: readonly string[] = [
  ...peers,
  ...['apt', 'apt-utils', 'arch-test', 'base-files', 'base-passwd', 'bash', 'bsdutils', 'bubblewrap', 'busybox'],
  ...['bzip2', 'coreutils', 'cpio', 'dash', 'debian-archive-keyring', 'debianutils', 'debootstrap', 'diffutils'],
  ...['dosfstools', 'dpkg', 'e2fsprogs', 'fdisk', 'findutils', 'gpg', 'gpgv', 'grep', 'gzip', 'hostname', 'kmod'],
  ...['kpartx', 'libarchive13t64', 'libc-bin', 'login', 'mawk', 'mount', 'mtools', 'parted', 'passwd', 'perl', 'pigz'],
  ...['python3', 'qemu-user', 'sed', 'sqv', 'systemd', 'systemd-container', 'systemd-repart', 'tar', 'udev', 'uidmap'],
  ...['util-linux', 'xz-utils', 'zstd'],
]

/** A root of Debian with the peers in it, and the Debian version of each, and of the emulator. */
export interface PeerHost {
  tree: Tools
  versions: ReadonlyMap<string, string>
}

/**
 * Fetch the peers of today's stable Debian, verified as all that pibake fetches, and unpack them into a root of their own
 * below `state`, where the packages stay as well. Needs the network the first time, and when the mirror has dropped one.
 */
export const openPeerHost = async (
  state: string,
  { tools, emit, signal }: { tools: Tools; emit: Emit; signal: AbortSignal },
): Promise<PeerHost> => {
  const blobs = openBlobs(join(state, 'cache'))
  const lockFile = join(state, 'peers.lock.json')
  const old = await readToolsLock(lockFile)
  const { lock } = await fetchTools({
    source: openDebianSource({ blobs, emit, signal }),
    mirrors: () =>
      findMirrors({
        answers: async (url) => (await fetchText(url, { signal }).catch(() => undefined)) !== undefined,
        suite: toolsSuite,
      }),
    now: new Date(),
    request: { suite: toolsSuite, architecture: hostArchitecture(), packages: hostPackages },
    lock: old,
    emit,
    signal,
  })
  if (lock !== old) await writeToolsLock(lockFile, lock)
  const tree = await openToolsTree({ lock, destination: join(state, 'host'), blobs, tools, emit, signal })
  return { tree, versions: new Map(lock.debs.map(({ name, version }) => [name, version])) }
}
