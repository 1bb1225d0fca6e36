import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import pino from 'pino'
import { failureRecord } from './failure.ts'
import type { Sink } from './sink.ts'

const kept = 20
const logName = /^\d{4}-\d\d-\d\dT[\d-]+\.\d{3}Z-[a-z-]+\.log$/

/** `2026-11-21T10-28-21.123Z-bake.log`: sorts by time, and every file system takes it. */
export const logFileName = (time: Date, command: string): string =>
  `${time.toISOString().replaceAll(':', '-')}-${command}.log`

/** The logs to remove, given all names in the folder: all but the newest, with room for one more. */
export const logsToDrop = (names: readonly string[]): string[] =>
  names
    .filter((name) => logName.test(name))
    .sort()
    .slice(0, -(kept - 1))

/** A log being written, and where. */
export interface LogSink extends Sink {
  path: string
}

/**
 * Write everything that happens, command output included, to a log of its own below `folder`: JSON lines as pino makes
 * them, but for progress, of which a step has one line a second. The last 20 logs are kept. With `path`, go on in that log.
 * Written at once, so that a killed run leaves it whole.
 */
export const openLog = (options: { folder: string; command: string; path?: string | undefined }): LogSink => {
  const { folder, command } = options
  mkdirSync(folder, { recursive: true })
  const path = options.path ?? join(folder, logFileName(new Date(), command))
  if (options.path === undefined) {
    for (const name of logsToDrop(readdirSync(folder))) rmSync(join(folder, name), { force: true })
  }
  const destination = pino.destination({ dest: path, sync: true, append: true })
  const log = pino({ base: { pid: process.pid, command }, level: 'debug' }, destination)
  const progressMs = new Map<string, number>()
  const isTooSoon = (id: string): boolean => {
    const nowMs = performance.now()
    if (nowMs - (progressMs.get(id) ?? -1000) < 1000) return true
    progressMs.set(id, nowMs)
    return false
  }
  return {
    path,
    event(event) {
      if (event.type === 'step-progress' && isTooSoon(event.id)) return
      const { type, ...fields } = event
      if (event.type === 'debug') log.debug({ type, ...event.fields }, event.message)
      else if (event.type === 'notice') log[event.level]({ type }, event.message)
      else if (event.type === 'output') log.debug({ type, id: event.id }, event.line)
      else log.info(fields, type)
    },
    failure(error) {
      log.error(failureRecord(error), 'failed')
    },
    close() {
      destination.flushSync()
      destination.end()
    },
  }
}
