import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

/** A folder of its own for one test, removed when the test ends. */
export const scratch = async (t: ExecutionContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}
