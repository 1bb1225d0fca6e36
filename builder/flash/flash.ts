import { PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Tools } from '../host/sandbox.ts'
import type { Patch } from '../image/fat-add.ts'
import { makeBuffers } from './buffers.ts'
import { type Card, type CardResult, startCard } from './card.ts'
import type { Device } from './device.ts'
import { startDigests } from './extent-digests.ts'
import { assertWritable } from './guard.ts'
import { loadImage } from './load.ts'
import { countOwn, layOwn } from './own.ts'
import { openReader } from './reader.ts'
import type { ImageSource } from './source.ts'
import { openTarget } from './target.ts'
import { countBytes, headBytes } from './windows.ts'

/** How long a drive may take for one order: a bad card does 4 MiB in less than this. */
const usualStallMs = 120_000

export interface FlashOptions {
  /** Asked only when an archive has to be unpacked. */
  tools: () => Promise<Tools>
  /** Whether to read back and compare. */
  verify: boolean
  emit: Emit
  signal: AbortSignal
  /** What each drive gets besides the image, in the order of the drives; beyond the first MiB. */
  own?: readonly (readonly Patch[])[]
  /** Told of each drive as soon as it is over; the whole waits for it, and fails when it does. */
  onCard?: (result: CardResult, index: number) => Promise<void>
  /** Milliseconds until a drive that gives no answer has failed (120000). */
  stallMs?: number
}

const unstartable = (cards: readonly { device: Pick<Device, 'path'> }[]): string => {
  const names = cards.map(({ device }) => `\`${device.path}\``).join(', ')
  return `${names} ${cards.length === 1 ? 'is' : 'are'} without a first block: nothing starts from ${cards.length === 1 ? 'it' : 'them'} until it is flashed again.`
}

/** The code of all that ends in a card which is not what it should be. */
export const flashFailure = (results: readonly CardResult[]): PibakeError | undefined => {
  const failed = results.filter(({ outcome }) => outcome === 'failed')
  const [first] = failed
  if (!first) return undefined
  const say = ({ device, failure }: CardResult): string =>
    failure instanceof PibakeError ? failure.message : `\`${device.path}\` failed: ${String(failure)}`
  const hint = first.failure instanceof PibakeError ? first.failure.hint : 'Try another card or reader.'
  if (results.length === 1) return new PibakeError('FLASH_FAILED', say(first), { hint, cause: first.failure })
  return new PibakeError('FLASH_FAILED', `${failed.length} of ${results.length} cards failed; the others are good.`, {
    hint: failed.length === 1 ? hint : 'Nothing starts from those; flash them again, or throw them away.',
    details: failed.map(say),
  })
}

/** Hand the image to all cards, piece by piece; a piece is given up when the last of them has it. */
const feed = async (
  cards: readonly Card[],
  image: AsyncGenerator<{ slot: number; writes: { offset: number; length: number; position: number }[] }>,
  release: (slot: number) => void,
): Promise<void> => {
  for await (const loaded of image) {
    const live = cards.filter((card) => card.isLive())
    if (live.length === 0) return
    void Promise.all(live.map((card) => card.put(loaded))).then(() => release(loaded.slot))
  }
}

/**
 * Write an image to drives, reading it once for all of them. Each drive that fails does so alone. Nothing is written to
 * any when one of them is refused, or when the image turns out not to be one at its first bytes; an image that turns out
 * wrong later leaves drives that nothing starts from. Throws `DEVICE_REFUSED`, `IMAGE_INVALID`, and what `signal` was
 * fired with.
 */
export const flashImage = async (
  source: ImageSource,
  devices: readonly Device[],
  { tools, verify, own = [], onCard, emit, signal, stallMs = usualStallMs }: FlashOptions,
): Promise<CardResult[]> => {
  assertWritable(devices, source)
  await using stack = new AsyncDisposableStack()
  const buffers = stack.use(makeBuffers(signal, { ownBytes: countOwn(own) }))
  const targets = []
  for (const device of devices) targets.push(stack.use(await openTarget(device, { shared: buffers.shared, stallMs })))
  const reader = stack.use(await openReader(source, { tools, signal }))
  const digests = startDigests(source)
  const image = loadImage(source, { reader, buffers, digests })
  stack.defer(async () => {
    await image.return(undefined)
  })
  const first = await image.next()
  const totalBytes = source.extents ? Math.max(0, countBytes(source.extents) - headBytes) : (source.sizeBytes ?? 0)
  const ownWrites = layOwn(own, buffers)
  const cards = targets.map((target, index) =>
    startCard(target, { buffers, totalBytes, own: ownWrites[index] ?? [], verify, emit, signal }),
  )
  const ended = Promise.allSettled(
    cards.map(async ({ result }, index) => {
      await onCard?.(await result, index)
      return result
    }),
  )
  const rest = async function* () {
    if (first.done !== true) yield first.value
    yield* image
  }
  try {
    await Promise.all(cards.map(({ ready }) => ready))
    await feed(cards, rest(), buffers.release)
    for (const card of cards) card.complete(digests.checks, source.algorithm)
  } catch (error) {
    for (const card of cards) card.abandon(error)
    await ended
    emit({ type: 'notice', level: 'warn', message: unstartable(targets) })
    throw error
  }
  const results = (await ended).map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
  if (signal.aborted) {
    const unfinished = results.filter(({ outcome }) => outcome === 'failed')
    if (unfinished.length > 0) emit({ type: 'notice', level: 'warn', message: unstartable(unfinished) })
    signal.throwIfAborted()
  }
  return results
}
