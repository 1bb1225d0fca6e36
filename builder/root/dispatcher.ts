import { randomUUID } from 'node:crypto'
import { mkdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hashFile } from '../core/digest.ts'
import { runTool, type Tools } from '../host/sandbox.ts'

const source = join(import.meta.dirname, 'dispatch.c')

/**
 * The compiled dispatcher (see `dispatch.c`), built once per version of its source with the tools tree's compiler.
 * `state` is the project's machine-local folder; returns the absolute path of a static program.
 */
export const buildDispatcher = async (tools: Tools, state: string, signal?: AbortSignal): Promise<string> => {
  const digest = await hashFile(source)
  const folder = join(state, 'dispatcher')
  const program = join(folder, digest)
  if (await stat(program).catch(() => undefined)) return program
  await mkdir(folder, { recursive: true })
  const partial = `${program}.${randomUUID()}`
  await runTool(tools, ['tcc', '-static', '-nostdlib', '-o', partial, source], {
    readOnly: [source],
    writable: [folder],
    ...(signal ? { signal } : {}),
  })
  await rename(partial, program)
  return program
}
