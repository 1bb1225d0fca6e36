import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PibakeError } from '../core/error.ts'
import { exists } from '../core/file.ts'
import { spawnTool, type Tools } from '../host/sandbox.ts'
import { cablesFolder, type Switch, switchArguments } from './cables.ts'
import { collectText } from './qemu.ts'

/**
 * Start the switch of a segment and wait until all of its cables can be plugged in; disposal ends it. Throws
 * `BOOT_FAILED` when QEMU does not start.
 */
export const startSwitch = async (
  plan: Switch,
  options: { tools: Tools; cables: string; signal?: AbortSignal },
): Promise<AsyncDisposable> => {
  const { tools, cables, signal } = options
  await using stack = new AsyncDisposableStack()
  const qemu = spawnTool(tools, ['qemu-system-aarch64', ...switchArguments(plan)], {
    mounts: [{ source: cables, target: cablesFolder, writable: true }],
  })
  const stderr = collectText(qemu.stderr)
  let over = false
  const ended = qemu.then(() => {
    over = true
  })
  stack.defer(async () => {
    qemu.kill('SIGTERM')
    await ended
  })
  for (const { socket } of plan.cables) {
    while (!(await exists(join(cables, socket)))) {
      if (over) {
        throw new PibakeError('BOOT_FAILED', 'QEMU did not start the switch between the nodes.', {
          hint: 'Read what QEMU says.',
          details: stderr().trimEnd().split('\n'),
        })
      }
      await sleep(50, undefined, signal ? { signal } : {})
    }
  }
  const owned = stack.move()
  return { [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
