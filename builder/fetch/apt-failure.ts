import { PibakeError } from '../core/error.ts'
import { nearest } from '../core/text.ts'

/** The lines of apt's output that say why it cannot do what it was asked. */
export const explanationLines = (output: readonly string[]): string[] => {
  const start = output.findIndex((line) => /unmet dependencies|^E:|Unsatisfied dependencies/.test(line))
  return output.slice(Math.max(start, 0)).filter((line) => line.trim() !== '' && !/^(?:W|N):/.test(line))
}

/**
 * What a failed run of apt means for the user: `RESOLVE_FAILED` naming the step, with apt's own explanation as details
 * and the nearest known name for a package that does not exist. Anything that is not apt's failure is returned as is.
 */
export const aptFailure = (error: unknown, options: { step: string; known: Iterable<string> }): unknown => {
  if (!(error instanceof PibakeError) || error.code !== 'COMMAND_FAILED') return error
  const details = explanationLines(error.details)
  const unknown = details.map((line) => /Unable to locate package (\S+)/.exec(line)?.[1]).find((name) => name)
  const near = unknown === undefined ? undefined : nearest(unknown, options.known)
  const message =
    unknown === undefined
      ? `The packages of \`${options.step}\` cannot be installed together.`
      : `\`${options.step}\` wants the package \`${unknown}\`, which the mirror does not have.`
  const hint =
    near !== undefined
      ? `Did you mean \`${near}\`?`
      : unknown !== undefined
        ? "Check its spelling; it has to be in Debian's `main` or `non-free-firmware`."
        : 'apt says below what stands in the way; change the packages of the stage or of the profile.'
  return new PibakeError('RESOLVE_FAILED', message, { hint, details, cause: error })
}
