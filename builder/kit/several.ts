import { PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import type { StickTarget } from './target.ts'
import { type KitPlan, type WriteResult, writeKit } from './write.ts'

/** What became of one stick. */
export type StickResult = { name: string } & (
  | { outcome: 'done'; result: WriteResult; durationMs: number }
  | { outcome: 'failed'; failure: unknown }
)

/** What several sticks come to: undefined when all are good. */
export const kitFailure = (results: readonly StickResult[]): unknown => {
  const failed = results.flatMap((result) => (result.outcome === 'failed' ? [result] : []))
  const [first] = failed
  if (!first) return undefined
  if (results.length === 1) return first.failure
  const say = ({ name, failure }: { name: string; failure: unknown }): string =>
    failure instanceof PibakeError ? failure.message : `\`${name}\`: ${String(failure)}`
  const hint = first.failure instanceof PibakeError ? first.failure.hint : 'Try another stick.'
  return new PibakeError('KIT_FAILED', `${failed.length} of ${results.length} sticks failed; the others are good.`, {
    hint: failed.length === 1 ? hint : 'Run the same command again for those; what is on them is kept.',
    details: failed.map(say),
    cause: first.failure,
  })
}

/**
 * Write a kit to several targets at once, each at its own pace. One that fails does so alone. Throws what `signal` was
 * fired with.
 */
export const writeKits = async (
  targets: readonly StickTarget[],
  plan: KitPlan,
  { recheck, emit, signal }: { recheck: boolean; emit: Emit; signal: AbortSignal },
): Promise<StickResult[]> => {
  const writeOne = async (target: StickTarget, id: string): Promise<WriteResult> => {
    // What the kernel still holds back is written when it is unmounted: only then it is done.
    await using stick = await target.open()
    return await writeKit(stick.path, plan, {
      recheck,
      onProgress: ({ done, total, note }) => emit({ type: 'step-progress', id, done, total, unit: 'bytes', note }),
      signal,
    })
  }
  const results = await Promise.all(
    targets.map(async (target): Promise<StickResult> => {
      const { name } = target
      const id = `kit:${name}`
      const startedMs = performance.now()
      try {
        const result = await runStep(emit, { id, title: `Write the kit to ${name}` }, () => writeOne(target, id))
        return { name, outcome: 'done', result, durationMs: performance.now() - startedMs }
      } catch (error) {
        // A drive that fails may not even be unmounted in order; why it failed says more.
        return { name, outcome: 'failed', failure: error instanceof SuppressedError ? error.suppressed : error }
      }
    }),
  )
  signal.throwIfAborted()
  return results
}
