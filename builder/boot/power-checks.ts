import { z } from 'zod'
import { PibakeError } from '../core/error.ts'
import type { Guest } from './boot.ts'
import { outcomeOf, parseStageFile } from './checks.ts'
import { quoteWord } from './protocol.ts'
import type { CheckResult } from './report.ts'

/** What a stage promises to keep when the power is cut. */
export interface PowerCheck {
  stage: string
  name: string
  title: string
  /** Path on the image of the script that writes, and prints `ACCEPTED <token>` for what is promised to be kept. */
  writePath: string
  /** Path of the script that fails when something of the tokens in the file it is given is lost. */
  verifyPath: string
  timeoutSeconds: number
}

const stageOnImage = z.object({
  name: z.string(),
  powerChecks: z
    .array(
      z.object({
        name: z.string(),
        title: z.string(),
        writePath: z.string(),
        verifyPath: z.string(),
        timeoutSeconds: z.number().positive(),
      }),
    )
    .default([]),
})

/** The promises that a stage's file on the image declares. Throws `IMAGE_INVALID` for anything else. */
export const parsePowerChecks = (json: string): PowerCheck[] => {
  const { name: stage, powerChecks } = parseStageFile(stageOnImage, json, 'what a power cut must leave')
  return powerChecks.map((check) => ({ stage, ...check }))
}

/** The token of a line `ACCEPTED <token>`. */
export const acceptedIn = (line: string): string | undefined => /^ACCEPTED (\S+)$/.exec(line)?.[1]

/** Write something through a stage's service; `onAccepted` is told each token at once. Throws `CHECKS_FAILED`. */
export const writeOnce = async (
  guest: Pick<Guest, 'run'>,
  options: { check: PowerCheck; onAccepted: (token: string) => void; signal: AbortSignal | undefined },
): Promise<void> => {
  const { check, onAccepted, signal } = options
  const result = await guest.run(`exec ${quoteWord(check.writePath)}`, {
    timeoutMs: check.timeoutSeconds * 1000,
    ...(signal ? { signal } : {}),
    onLine: (line) => {
      const token = acceptedIn(line)
      if (token !== undefined) onAccepted(token)
    },
  })
  if (outcomeOf(result) === 'passed') return
  throw new PibakeError('CHECKS_FAILED', `Stage \`${check.stage}\` could not write before the power was cut.`, {
    hint: 'Boot it for a look by hand: `pibake run`',
    details: result.output.split('\n'),
  })
}

const tokensFile = '/run/pibake-accepted'

/** Ask whether all that was accepted is still there. */
export const verifyKept = async (
  guest: Pick<Guest, 'run' | 'push'>,
  options: { check: PowerCheck; accepted: readonly string[]; signal: AbortSignal | undefined },
): Promise<Pick<CheckResult, 'outcome' | 'output' | 'durationMs'>> => {
  const { check, accepted, signal } = options
  const startedAt = performance.now()
  const cancel = signal ? { signal } : {}
  await guest.push(tokensFile, Buffer.from(accepted.map((token) => `${token}\n`).join('')), 0o644, cancel)
  const script = `exec ${quoteWord(check.verifyPath)} ${tokensFile}`
  const result = await guest.run(script, { timeoutMs: check.timeoutSeconds * 1000, ...cancel })
  const durationMs = performance.now() - startedAt
  return { outcome: outcomeOf(result), output: `${accepted.length} accepted before\n${result.output}`, durationMs }
}
