import { runCommand } from './command.ts'
import { type Tools, treeCommand } from './sandbox.ts'

/**
 * Bring up loopback in this process's own network namespace, where nothing has done so yet: for programs that meet on
 * 127.0.0.1 there. It leads nowhere else.
 */
export const raiseLoopback = async (tools: Tools): Promise<void> => {
  await runCommand(treeCommand(tools, 'usr/bin/busybox', ['ip', 'link', 'set', 'lo', 'up']))
}
