import { access, constants, mkdir, open, readFile, statfs } from 'node:fs/promises'
import { release, totalmem } from 'node:os'
import { join } from 'node:path'
import { errnoOf, PibakeError } from '../core/error.ts'
import { formatBytes } from '../core/size.ts'
import { hostArchitecture } from './architecture.ts'
import { runCommand } from './command.ts'
import { makeScratch, type Scratch } from './scratch.ts'

/** What trying one capability of this machine brought to light. */
export interface Probe {
  name: string
  /** `fail`: nothing can be baked without it. `warn`: works, at a price that `fix` names. */
  state: 'ok' | 'warn' | 'fail'
  found: string
  /** What to do about it; empty when all is well. */
  fix: string
}

const ok = (name: string, found: string): Probe => ({ name, state: 'ok', found, fix: '' })

const asRoot = 'Run pibake with `sudo`.'

/** The last thing a failed program said. */
const reasonOf = (error: unknown): string =>
  error instanceof PibakeError
    ? (error.details.filter((line) => line.trim() !== '').at(-1) ?? error.message)
    : String(error)

/** Try something with a program of the host; undefined when it worked, else why it did not. */
const attempt = async (
  argv: readonly string[],
  options: { cwd?: string; signal?: AbortSignal },
): Promise<string | undefined> => {
  try {
    await runCommand(argv, { timeoutMs: 10_000, ...options })
    return undefined
  } catch (error) {
    if (options.signal?.aborted) throw error
    return reasonOf(error)
  }
}

export const probeSystem = (): Probe => {
  const name = 'Linux'
  if (process.platform !== 'linux') {
    return {
      name,
      state: 'fail',
      found: process.platform,
      fix: 'Use Linux; the Vagrantfile starts a virtual machine with it.',
    }
  }
  try {
    return ok(name, `${release()} on ${hostArchitecture()}`)
  } catch (error) {
    if (!(error instanceof PibakeError)) throw error
    return { name, state: 'fail', found: error.message, fix: error.hint }
  }
}

export const probeRoot = (userId = process.getuid?.() ?? -1): Probe =>
  userId === 0
    ? ok('root', 'yes')
    : {
        name: 'root',
        state: 'fail',
        found: `no, user ${userId}`,
        fix: 'Run pibake with `sudo`; it mounts and makes namespaces.',
      }

/** A folder of its own for a probe, or why there can be none. */
const tryScratch = async (folder: string): Promise<Scratch | string> => {
  try {
    return await makeScratch(folder)
  } catch (error) {
    return `the checkout cannot be written (${errnoOf(error) ?? String(error)})`
  }
}

/** Stack an overlay with its writable layer where the cache is, in a mount namespace that is gone afterwards. */
export const probeOverlay = async (folder: string, signal?: AbortSignal): Promise<Probe> => {
  const name = 'overlayfs'
  const made = await tryScratch(folder)
  if (typeof made === 'string') return { name, state: 'fail', found: made, fix: asRoot }
  await using scratch = made
  const cwd = scratch.path
  await Promise.all(['lower', 'upper', 'work', 'merged'].map((path) => mkdir(join(cwd, path))))
  const mount = 'mount -t overlay pibake -o lowerdir=lower,upperdir=upper,workdir=work merged'.split(' ')
  const reason = await attempt(['unshare', '--mount', ...mount], { cwd, ...(signal ? { signal } : {}) })
  if (reason === undefined) return ok(name, 'a layer can be stacked in the checkout')
  const fix =
    'Load it with `modprobe overlay`. The checkout must be on a local file system (ext4, xfs, btrfs), not on a network share or inside an unprivileged container.'
  return { name, state: 'fail', found: reason, fix }
}

export const probeLoop = async (signal?: AbortSignal): Promise<Probe> => {
  const name = 'loop devices'
  const fix = 'Load them with `modprobe loop`; in a container, hand `/dev/loop-control` and the loop devices in.'
  try {
    await using _control = await open('/dev/loop-control', 'r+')
  } catch (error) {
    const errno = errnoOf(error)
    const mend = errno === 'EACCES' ? asRoot : fix
    return { name, state: 'fail', found: `/dev/loop-control: ${errno ?? String(error)}`, fix: mend }
  }
  try {
    const { stdout } = await runCommand(['losetup', '--find'], { timeoutMs: 10_000, ...(signal ? { signal } : {}) })
    return ok(name, `${stdout.trim()} is free`)
  } catch (error) {
    if (signal?.aborted) throw error
    return { name, state: 'fail', found: reasonOf(error), fix }
  }
}

const inUserNamespace = ['unshare', '--user', '--map-root-user', '--mount'] as const

export const probeUserNamespace = async (signal?: AbortSignal): Promise<Probe> => {
  const name = 'user namespaces'
  const reason = await attempt([...inUserNamespace, 'true'], signal ? { signal } : {})
  if (reason === undefined) return ok(name, 'can be made')
  const fix =
    'Allow them: `sysctl user.max_user_namespaces=10000`, and where AppArmor restricts them `sysctl kernel.apparmor_restrict_unprivileged_userns=0`. In a plain chroot there can be none: use `systemd-nspawn`, or a virtual machine.'
  return { name, state: 'fail', found: reason, fix }
}

/** Native twins need a binfmt_misc of their own, which a user namespace can mount since Linux 6.7. */
export const probeBinfmt = async (signal?: AbortSignal): Promise<Probe> => {
  const name = 'private binfmt_misc'
  if (process.arch === 'arm64') return ok(name, 'not needed: arm64 programs run here as they are')
  // Any folder does as a mount point, in a mount namespace that is gone afterwards.
  const mount = ['mount', '-t', 'binfmt_misc', 'pibake', import.meta.dirname]
  const reason = await attempt([...inUserNamespace, ...mount], signal ? { signal } : {})
  if (reason === undefined) return ok(name, 'packages are configured at native speed')
  return {
    name,
    state: 'warn',
    found: reason,
    fix: `Use Linux 6.7 or newer (this is ${release()}; Debian 12 has one in its backports). Without it packages are configured by the host's own qemu-user, where the package qemu-user-static has registered it: several times slower.`,
  }
}

/** A bake of the largest profile with its packages, layers and image. */
const neededDiskBytes = 12e9
const wantedMemoryBytes = 2e9

export const probeDisk = async (folder: string): Promise<Probe> => {
  const { bavail, bsize } = await statfs(folder)
  const found = `${formatBytes(bavail * bsize)} free`
  if (bavail * bsize >= neededDiskBytes) return ok('disk space', found)
  const fix = `A bake needs about ${formatBytes(neededDiskBytes)}: free some, or clone pibake to a larger disk.`
  return { name: 'disk space', state: 'fail', found, fix }
}

export const probeMemory = async (): Promise<Probe> => {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '')
  const availableKiB = /^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1]
  const available = availableKiB === undefined ? totalmem() : Number(availableKiB) * 1024
  const found = `${formatBytes(available)} of ${formatBytes(totalmem())} available`
  if (available >= wantedMemoryBytes) return ok('memory', found)
  const fix = `Boot tests want ${formatBytes(wantedMemoryBytes)}: end other programs, or add swap space.`
  return { name: 'memory', state: 'warn', found, fix }
}

/** For information: KVM helps with images for the processor of this machine only, most of which are for arm64. */
export const probeKvm = async (): Promise<Probe> => {
  const usable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
  if (process.arch !== 'arm64')
    return ok('KVM', usable ? 'of use for images of vm-amd64 only' : 'none; not needed for arm64 images')
  return usable
    ? ok('KVM', 'boot tests run at native speed')
    : {
        name: 'KVM',
        state: 'warn',
        found: 'none',
        fix: 'Boot tests run under emulation, which takes minutes; hand in `/dev/kvm`.',
      }
}
