import { setTimeout as sleep } from 'node:timers/promises'
import { PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { CardResult } from './card.ts'
import type { Device } from './device.ts'

export interface WatchOptions {
  /** The drives that are there now, to be written or not. */
  list: () => Promise<Device[]>
  /** Write one; must end when `signal` fires. */
  flash: (device: Device) => Promise<CardResult>
  /** How many at a time; others wait. */
  atOnce: number
  emit: Emit
  signal: AbortSignal
  /** Milliseconds between two looks (500). */
  intervalMs?: number
}

/** Another card in the same reader is another one. */
const keyOf = ({ name, sequence, sizeBytes }: Device): string => `${name} ${sequence} ${sizeBytes}`

/**
 * Write every drive that appears, until `signal` fires or `flash` throws something that the next card would meet as well.
 * What is there at the beginning is left alone. A drive that may not be written is named in a warning. Returns what
 * became of all, in the order in which they ended.
 */
export const watchDrives = async (options: WatchOptions): Promise<CardResult[]> => {
  const { list, flash, atOnce, emit, signal, intervalMs = 500 } = options
  const results: CardResult[] = []
  const running = new Map<string, Promise<void>>()
  const known = new Set((await list()).map(keyOf))
  const waiting: Device[] = []
  let failure: unknown
  const say = (level: 'info' | 'warn', message: string): void => emit({ type: 'notice', level, message })

  const write = async (device: Device): Promise<void> => {
    try {
      const result = await flash(device)
      results.push(result)
      const done = results.filter(({ outcome }) => outcome === 'done').length
      if (result.outcome === 'done') say('info', `\`${device.name}\` is done and may be taken out; ${done} so far.`)
      else say('warn', result.failure instanceof PibakeError ? result.failure.message : String(result.failure))
    } catch (error) {
      if (error instanceof PibakeError && error.code === 'DEVICE_REFUSED') say('warn', error.message)
      else failure ??= error
    }
  }

  while (!signal.aborted && failure === undefined) {
    const present = await list()
    const keys = new Set(present.map(keyOf))
    for (const key of known) if (!keys.has(key)) known.delete(key)
    for (const device of present) {
      if (known.has(keyOf(device))) continue
      known.add(keyOf(device))
      waiting.push(device)
    }
    while (running.size < atOnce && waiting.length > 0) {
      const device = waiting.shift()
      if (!device || !keys.has(keyOf(device))) continue
      const key = keyOf(device)
      running.set(
        key,
        write(device).finally(() => running.delete(key)),
      )
    }
    await sleep(intervalMs, undefined, { signal }).catch(() => undefined)
  }
  await Promise.all(running.values())
  if (failure !== undefined && !signal.aborted) throw failure
  return results
}
