import { runTool, type Tools } from '../host/sandbox.ts'
import { inspectBase } from './open.ts'

/** The dpkg status file of a base image, read with debugfs(8) without mounting the image. */
export const readBaseStatus = async (tools: Tools, image: string, signal?: AbortSignal): Promise<string> => {
  const { root } = await inspectBase(image)
  const { stdout } = await runTool(
    tools,
    ['debugfs', '-R', 'cat /var/lib/dpkg/status', `${image}?offset=${root.offsetBytes}`],
    { readOnly: [image], ...(signal ? { signal } : {}) },
  )
  return `${stdout}\n`
}
