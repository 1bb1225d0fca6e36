import type { Emit } from '../core/event.ts'
import type { DownloadItem } from './transfer.ts'

/** Milliseconds between two progress events while bytes arrive. */
const intervalMs = 100

/** Sums what has arrived of all items and emits it as progress of a step, in bytes, at most ten times a second. */
export const trackProgress = (emit: Emit, stepId: string, items: readonly (readonly [string, DownloadItem])[]) => {
  const states = new Map(
    items.map(([key, item]) => [key, { doneBytes: 0, totalBytes: item.sizeBytes ?? 0, label: item.label }]),
  )
  const sum = { done: 0, total: items.reduce((total, [, { sizeBytes }]) => total + (sizeBytes ?? 0), 0) }
  let emittedAt = -Infinity

  const change = (key: string, doneBytes: number, totalBytes: number): void => {
    const state = states.get(key)
    if (state === undefined) return
    sum.done += doneBytes - state.doneBytes
    sum.total += totalBytes - state.totalBytes
    state.doneBytes = doneBytes
    state.totalBytes = totalBytes
  }

  const send = (key: string): void => {
    const note = states.get(key)?.label ?? ''
    emittedAt = performance.now()
    emit({ type: 'step-progress', id: stepId, done: sum.done, total: sum.total, unit: 'bytes', note })
  }

  return {
    /** Bytes of an item that are there now, and the size that the server announced, when it did. */
    update: (key: string, doneBytes: number, announcedBytes: number | undefined): void => {
      const known = announcedBytes ?? states.get(key)?.totalBytes ?? 0
      change(key, doneBytes, Math.max(known, doneBytes))
      if (performance.now() - emittedAt >= intervalMs) send(key)
    },
    /** The item is there (or is known not to exist, with no bytes); always emitted. */
    finish: (key: string, sizeBytes: number): void => {
      change(key, sizeBytes, sizeBytes)
      send(key)
    },
  }
}
