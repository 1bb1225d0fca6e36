import type { Readable } from 'node:stream'
import { createKeyFilter } from './keys.ts'

/** Wait until Ctrl-C or Ctrl-A X is typed at `input`, if that is a terminal, or `signal` fires. */
export const untilQuit = async (
  input: Readable & { isTTY?: boolean; setRawMode?: (raw: boolean) => unknown },
  signal: AbortSignal,
): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const quit = (): void => resolve()
  signal.addEventListener('abort', quit)
  if (signal.aborted) quit()
  const filter = createKeyFilter(quit)
  const onTyped = (typed: Buffer): void => {
    filter(typed)
  }
  if (input.isTTY) {
    input.setRawMode?.(true)
    input.on('data', onTyped).resume()
  }
  // Nothing else keeps the process going while there is nothing to do.
  const alive = setInterval(() => {}, 60_000)
  try {
    await promise
  } finally {
    clearInterval(alive)
    signal.removeEventListener('abort', quit)
    if (input.isTTY) {
      input.off('data', onTyped).pause()
      input.setRawMode?.(false)
    }
  }
}
