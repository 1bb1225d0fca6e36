/**
 * Everything the builder says while it works. Modules emit events; only `report/` turns them into
 * a live view, plain lines, JSON lines or the log file.
 */
export type PibakeEvent =
  /** A unit of work a user can wait for begins. `expectedMs` is how long it took last time. */
  | { type: 'step-start'; id: string; title: string; expectedMs?: number }
  /** How far a step is. Rates and the time left are derived by the reporter. */
  | { type: 'step-progress'; id: string; done: number; total: number; unit: 'bytes' | 'items'; note?: string }
  | {
      type: 'step-end'
      id: string
      outcome: 'done' | 'cached' | 'failed' | 'skipped'
      durationMs: number
      note?: string
    }
  /** One line of output of a command that a step runs; shown as the live tail, kept in the log. */
  | { type: 'output'; id: string; line: string }
  /** Something the user should read even when all goes well. */
  | { type: 'notice'; level: 'info' | 'warn'; message: string }
  /** The server has answered a request; a line with `--json` and in the log. `isWhole`: all of the answer was sent. */
  | {
      type: 'access'
      client: string
      program: string
      method: string
      path: string
      status: number
      sentBytes: number
      isWhole: boolean
      durationMs: number
    }
  /** For the log file only. */
  | { type: 'debug'; message: string; fields?: Readonly<Record<string, unknown>> }

export type Emit = (event: PibakeEvent) => void

/**
 * Run `work` as one step: emits its start and end with the measured duration in milliseconds.
 * A throw becomes outcome `failed` and is passed on.
 */
export const runStep = async <T>(
  emit: Emit,
  step: { id: string; title: string; expectedMs?: number },
  work: () => Promise<T>,
): Promise<T> => {
  const startedAt = performance.now()
  emit({ type: 'step-start', ...step })
  try {
    const result = await work()
    emit({ type: 'step-end', id: step.id, outcome: 'done', durationMs: performance.now() - startedAt })
    return result
  } catch (error) {
    emit({ type: 'step-end', id: step.id, outcome: 'failed', durationMs: performance.now() - startedAt })
    throw error
  }
}
