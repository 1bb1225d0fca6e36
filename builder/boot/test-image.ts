import { runStep } from '../core/event.ts'
import { boards } from './board.ts'
import { type BootRequest, bootImage } from './boot.ts'
import { allowTime, collectChecks, runChecks } from './checks.ts'
import type { TestReport } from './report.ts'
import { verifyImage } from './verify.ts'

export interface TestRequest extends Omit<BootRequest, 'sshKey' | 'autologin' | 'forwards'> {
  /** The stage whose package is purged at the end; by default `ssb-pub` when the image has it. */
  purge?: string
}

/**
 * Verify an image against the `.sha256` beside it, boot it on a throwaway overlay and put its checks to it. Failed
 * checks are in the report, not thrown; throws `IMAGE_INVALID` and `BOOT_FAILED` as `verifyImage` and `bootImage` do.
 */
export const testImage = async (request: TestRequest): Promise<TestReport> => {
  const { image, board, emit, purge } = request
  const signal = request.signal ? { signal: request.signal } : {}
  await verifyImage(image, { emit, ...signal })
  await using guest = await bootImage(request)
  const checks = await runStep(emit, { id: 'checks', title: 'Ask the services' }, async () => {
    const list = await collectChecks(guest, { ...signal, ...(purge === undefined ? {} : { purge }) })
    return runChecks(guest, allowTime(list, boards[board].patience), { id: 'checks', emit, ...signal })
  })
  await guest.poweroff()
  return { image, board, bootMs: guest.bootMs, checks }
}
