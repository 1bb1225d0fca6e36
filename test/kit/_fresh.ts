import { text } from 'node:stream/consumers'
import { spawnCommand } from '../../builder/host/command.ts'

/**
 * Makes a folder the root of everything, as on a machine that was started from it. What is under `/sys` is made anew, for it
 * shows the interfaces of the network namespace that it was made in.
 */
const enter = `set -eu
root=$1; stick=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mkdir -p "$root/media/stick" "$root/old"
mount --bind "$stick" "$root/media/stick"
mount -o remount,bind,ro,noexec,nosuid,nodev "$root/media/stick"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
cd "$root"
pivot_root . old
umount -l /old
rmdir /old
exec "$@"`

/** What a program left behind on a fresh machine. */
export interface FreshRun {
  exitCode: number | undefined
  stdout: string
  stderr: string
}

/**
 * Run a program on the system at `root` as on a machine of its own: no network, its own processes, and of this machine
 * nothing but its kernel and its devices. The stick is mounted at /media/stick, read-only and `noexec`.
 */
export const runOnFresh = async (
  root: string,
  { stick, argv, timeoutMs }: { stick: string; argv: readonly string[]; timeoutMs: number },
): Promise<FreshRun> => {
  const namespaces = ['unshare', '--net', '--ipc', '--uts', '--mount', '--pid', '--fork', '--kill-child=KILL']
  const subprocess = spawnCommand([...namespaces, 'sh', '-c', enter, 'sh', root, stick, ...argv], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', TERM: 'dumb' },
    signal: AbortSignal.timeout(timeoutMs),
  })
  subprocess.stdin.end()
  const [stdout, stderr, { exitCode }] = await Promise.all([
    text(subprocess.stdout),
    text(subprocess.stderr),
    subprocess,
  ])
  return { exitCode, stdout, stderr }
}
