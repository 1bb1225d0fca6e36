import type { PibakeEvent } from '../core/event.ts'

/** One place that events go to. */
export interface Sink {
  event(event: PibakeEvent): void
  /** Say why the command failed. `logPath` is the log of this run, where there is one. */
  failure(error: unknown, logPath: string | undefined): void
  /** Leave the terminal or the file in order; nothing comes after. */
  close(): void
}
