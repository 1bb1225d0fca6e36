import { formatBytes, formatDuration } from '../core/size.ts'
import type { CardResult } from '../flash/card.ts'
import type { DeviceContent } from '../flash/content.ts'
import type { Device } from '../flash/device.ts'
import type { Paint } from '../report/style.ts'
import { renderTable } from '../report/table.ts'

/** A drive with what is on it, and why it may not be written. */
export interface ListedDevice {
  device: Device
  /** Undefined when it may not be read. */
  contents: readonly DeviceContent[] | undefined
  refusal: string | undefined
}

const describeContent = (contents: ListedDevice['contents']): string => {
  if (!contents) return 'not readable without root'
  if (contents.length === 0) return 'empty'
  return contents.map(({ kind, label }) => (label === '' ? kind : `${label} (${kind})`)).join(', ')
}

/** Drives for people: name, size, model, what is on them, and what is against writing them. */
export const renderDevices = (listed: readonly ListedDevice[], paint: Paint): string[] =>
  renderTable(
    listed.map(({ device, contents, refusal }) => [
      paint('bold', device.path),
      formatBytes(device.sizeBytes),
      device.model || 'no name',
      describeContent(contents),
      refusal === undefined ? '' : paint('yellow', refusal),
    ]),
  )

const rate = (bytes: number, ms: number): string => (ms > 0 ? `${formatBytes(bytes / (ms / 1000))}/s` : '')

const rowOf = ({ device, outcome, writtenBytes, writeMs, readBackMs }: CardResult, paint: Paint): string[] => [
  outcome === 'done' ? paint('green', 'done') : paint('red', 'failed'),
  paint('bold', device.path),
  device.model || 'no name',
  ...(outcome === 'done'
    ? [
        `${formatBytes(writtenBytes)} in ${formatDuration(writeMs)} (${rate(writtenBytes, writeMs)})`,
        readBackMs > 0 ? `read back in ${formatDuration(readBackMs)}` : 'not read back',
      ]
    : ['nothing starts from it', '']),
]

/** The name that a card was given, where it was given one. */
export type NameOf = (result: CardResult) => string | undefined

/** What became of cards, for people. */
export const renderResults = (results: readonly CardResult[], paint: Paint, nameOf: NameOf): string[] =>
  renderTable(
    results.map((result) => {
      const name = nameOf(result)
      return [...(name === undefined ? [] : [paint('bold', name)]), ...rowOf(result, paint)]
    }),
  )

/** What became of a card, as data. */
export const resultData = (result: CardResult, nameOf: NameOf) => {
  const { failure, ...rest } = result
  const card = nameOf(result)
  return {
    ...(card === undefined ? {} : { card }),
    ...rest,
    ...(failure === undefined ? {} : { failure: failure instanceof Error ? failure.message : String(failure) }),
  }
}
