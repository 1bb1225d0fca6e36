import { failureRecord } from './failure.ts'
import type { Sink } from './sink.ts'

/**
 * `--json`: every event as one line of JSON with its time, and a failure as
 * `{"type":"failure","code","message","hint","details","log"}`. These lines go to standard error; standard output has
 * the result of the command alone, as one JSON value. `debug` events are for the log only.
 */
export const createJsonSink = (options: { write: (line: string) => void; now: () => Date }): Sink => {
  const line = (record: Readonly<Record<string, unknown>>): void =>
    options.write(JSON.stringify({ time: options.now().toISOString(), ...record }))
  return {
    event(event) {
      if (event.type !== 'debug') line({ ...event })
    },
    failure(error, logPath) {
      line({ type: 'failure', ...failureRecord(error), log: logPath })
    },
    close() {},
  }
}
