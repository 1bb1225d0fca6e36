import { PibakeError } from '../core/error.ts'
import type { CardResult } from '../flash/card.ts'
import { readContent } from '../flash/content.ts'
import { type Device, listRemovable } from '../flash/device.ts'
import { flashFailure, flashImage } from '../flash/flash.ts'
import { assertWritable, refusalOf } from '../flash/guard.ts'
import type { ImageSource } from '../flash/source.ts'
import { watchDrives } from '../flash/watch.ts'
import { plainly } from '../report/style.ts'
import { openTools } from './chosen.ts'
import type { Result } from './command.ts'
import { confirmByName } from './confirm.ts'
import type { Context } from './context.ts'
import { type CardOptions, type Cards, labelLines, takeAll } from './flash-cards.ts'
import { type ListedDevice, renderDevices, renderResults, resultData } from './flash-report.ts'

export const listDevices = (
  devices: readonly Device[],
  image: Pick<ImageSource, 'path' | 'sizeBytes'>,
): Promise<ListedDevice[]> =>
  Promise.all(
    devices.map(async (device) => ({
      device,
      contents: await readContent(device.path),
      refusal: refusalOf(device, image)?.reason,
    })),
  )

/** What is written, and how. */
export interface Chosen {
  source: ImageSource
  verify: boolean
  /** Undefined where all cards get the same. */
  cards: Cards | undefined
  options: CardOptions
}

const resultOf = (results: readonly CardResult[], { source, cards, options }: Chosen): Result => {
  const nameOf = (result: CardResult): string | undefined => cards?.nameOf(result)
  const done = results.filter(({ outcome }) => outcome === 'done').length
  return {
    data: {
      image: source.label,
      ...(options.labels === undefined || done === 0 ? {} : { labels: options.labels }),
      cards: results.map((result) => resultData(result, nameOf)),
    },
    lines: (paint) => [...renderResults(results, paint, nameOf), ...labelLines(options, done, paint)],
  }
}

/** Write the drives that were named, all at once. */
export const flashNamed = async (context: Context, devices: readonly Device[], chosen: Chosen): Promise<Result> => {
  const { source, verify, cards } = chosen
  assertWritable(devices, source)
  const { emit, signal, options } = context
  const identities = cards && (await takeAll(cards, devices.length))
  if (!options.yes) {
    const lines = [`${source.label} goes to:`, ...renderDevices(await listDevices(devices, source), plainly)]
    const names = (identities ?? []).map(({ hostname }, index) => `${devices[index]?.name} becomes ${hostname}.`)
    await confirmByName(
      [...lines, ...names],
      devices.map(({ name }) => name),
      context,
    )
  }
  const results = await flashImage(source, devices, {
    tools: () => openTools(context),
    ...(cards && identities ? await cards.flashOptions(identities) : {}),
    ...{ verify, emit, signal },
  })
  const failure = flashFailure(results)
  return { ...resultOf(results, chosen), ...(failure === undefined ? {} : { failure }) }
}

/** Write one drive with the next identity there is; it stays for the next drive when this one does not become a card. */
const flashNext = async (context: Context, device: Device, { source, verify, cards }: Chosen): Promise<CardResult> => {
  const { emit, signal } = context
  const identities = (await cards?.dealer.take(1)) ?? []
  if (cards && identities.length === 0) {
    throw new PibakeError('DEVICE_REFUSED', `No card of the roster is left for \`${device.path}\`.`, {
      hint: 'All others are being written.',
    })
  }
  try {
    const [result] = await flashImage(source, [device], {
      tools: () => openTools(context),
      ...(cards ? await cards.flashOptions(identities) : {}),
      ...{ verify, emit, signal },
    })
    if (!result) throw new Error('a drive without a result')
    return result
  } catch (error) {
    for (const identity of identities) cards?.dealer.giveBack(identity)
    throw error
  }
}

/** Writes drives as they come, each with the next identity; `finished` fires after the last card of a roster. */
export const startFlasher = (
  context: Context,
  chosen: Chosen,
): { flash: (device: Device) => Promise<CardResult>; finished: AbortSignal } => {
  const finished = new AbortController()
  let running = 0
  return {
    finished: finished.signal,
    async flash(device) {
      running += 1
      try {
        return await flashNext(context, device, chosen)
      } finally {
        running -= 1
        if (running === 0 && chosen.cards?.dealer.left() === 0) finished.abort()
      }
    },
  }
}

/** Write every drive that is plugged in, until the signal fires or no card of a roster is left. */
export const flashPlugged = async (context: Context, atOnce: number, chosen: Chosen): Promise<Result> => {
  const { emit, signal, options } = context
  if (!options.yes) {
    const line = `Every card and stick that is plugged in from now on is overwritten with ${chosen.source.label}.`
    await confirmByName([line], ['watch'], context)
  }
  emit({
    type: 'notice',
    level: 'info',
    message: 'Waiting for cards; those that are in now are left alone. Ctrl-C ends it.',
  })
  const { flash, finished } = startFlasher(context, chosen)
  const ending = AbortSignal.any([signal, finished])
  const results = await watchDrives({ list: () => listRemovable(), flash, atOnce, emit, signal: ending })
  return resultOf(results, chosen)
}
