import { createInterface } from 'node:readline/promises'
import { PibakeError } from '../core/error.ts'
import type { Context } from './context.ts'

/**
 * Ask on the terminal until the answer has the words `expected`, in any order; anything else ends in `INTERRUPTED`. Throws
 * `USAGE` where nobody can be asked.
 */
export const confirmByName = async (
  lines: readonly string[],
  expected: readonly string[],
  { terminal: { input, output }, signal }: Pick<Context, 'terminal' | 'signal'>,
): Promise<void> => {
  if (!input.isTTY || !output.isTTY) {
    throw new PibakeError('USAGE', 'Nobody can be asked here whether to write these drives.', {
      hint: 'If you are sure, say so with `--yes`.',
      details: lines,
    })
  }
  const asking = createInterface({ input, output })
  try {
    const question = `${lines.join('\n')}\nEverything on ${expected.length === 1 ? 'it' : 'them'} will be lost. To go on, type ${expected.join(' ')}: `
    const words = (await asking.question(question, { signal })).trim().split(/[\s,]+/)
    if ([...words].sort().join(' ') === [...expected].sort().join(' ')) return
  } finally {
    asking.close()
  }
  throw new PibakeError('INTERRUPTED', 'That was another answer; nothing was written.', {
    hint: `Run the same command again, and type ${expected.join(' ')} when asked.`,
  })
}
