import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { mkdir, open, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { ExecutionContext } from 'ava'
import { runCommand } from '../../builder/host/command.ts'
import type { Faults } from '../flash/fixtures/faulty-disk.ts'
import { scratch } from './scratch.ts'

/** A block device of a test's own, and the file that holds its bytes. */
export interface TestDevice {
  path: string
  file: string
}

const canUse = (path: string): boolean => {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Why block devices cannot be made here; undefined when they can. */
export const noDevices =
  process.getuid?.() !== 0
    ? 'loop devices need root'
    : canUse('/dev/loop-control')
      ? undefined
      : 'this machine gives no loop devices'

/** Why faulty ones cannot be made here. */
export const noFaults = noDevices ?? (canUse('/dev/fuse') ? undefined : 'this machine has no /dev/fuse')

/** Attach a file as a loop device that goes when the test ends, even when that is killed. */
export const attachLoop = async (
  t: ExecutionContext,
  file: string,
  options: readonly string[] = [],
): Promise<string> => {
  const { stdout: path } = await runCommand(['losetup', '--find', '--show', ...options, file])
  const held = await open(path, 'r')
  t.teardown(() => held.close())
  // Detached when the last one closes it.
  await runCommand(['losetup', '--detach', path])
  return path
}

/** A loop device full of `fill`, so that what nobody wrote is no zero. */
export const makeDevice = async (t: ExecutionContext, sizeBytes: number, fill = 0xa5): Promise<TestDevice> => {
  const file = join(await scratch(t), 'disk')
  await writeFile(file, Buffer.alloc(Math.min(sizeBytes, 2 << 20), fill))
  await truncate(file, sizeBytes)
  return { path: await attachLoop(t, file), file }
}

/** A block device with faults, and what pulls it out. */
export const makeFaultyDevice = async (
  t: ExecutionContext,
  sizeBytes: number,
  faults: Faults = {},
): Promise<TestDevice & { pull(): void }> => {
  const folder = await scratch(t)
  await mkdir(folder, { recursive: true })
  const program = join(import.meta.dirname, '..', 'flash', 'fixtures', 'faulty-disk.ts')
  const setup = JSON.stringify({ folder, sizeBytes, ...faults })
  const argv = ['unshare', '--mount', '--propagation', 'private', process.execPath, program, setup]
  const [file = '', ...args] = argv
  const server = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const pull = (): void => {
    server.kill('SIGKILL')
  }
  const ended = new Promise((resolve) => server.once('exit', resolve))
  t.teardown(async () => {
    pull()
    await ended
  })
  for await (const path of createInterface({ input: server.stdout })) {
    return { path, file: join(folder, 'content'), pull }
  }
  throw new Error('the faulty disk did not start')
}
