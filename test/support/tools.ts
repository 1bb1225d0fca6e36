import { join } from 'node:path'
import { hostArchitecture } from '../../builder/host/architecture.ts'
import type { Tools } from '../../builder/host/sandbox.ts'

/** The checkout that the tests belong to. */
export const checkout = join(import.meta.dirname, '..', '..')

/** The tools tree that `test/run` has set up; PIBAKE_TOOLS names another one. */
export const tools: Tools = {
  root: process.env.PIBAKE_TOOLS ?? join(checkout, '.pibake', `tools-trixie-${hostArchitecture()}`),
}
