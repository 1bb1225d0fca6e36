import { createHash } from 'node:crypto'
import type { Buffers } from './buffers.ts'
import { fakeCapacity } from './failures.ts'
import { probeBytes, probePlaces } from './probe-places.ts'
import type { Target } from './target.ts'
import { headBytes, type Span } from './windows.ts'

interface Probe extends Span {
  /** Where its bytes are in the shared memory. */
  offset: number
  digest: string
}

const algorithm = 'sha256'

const digestOf = (bytes: Uint8Array): string => createHash(algorithm).update(bytes).digest('hex')

const probesOf = ({ device }: Target, { bytes, noiseOffset }: Buffers): Probe[] =>
  probePlaces(device.sizeBytes).map((startBytes, index) => {
    const offset = noiseOffset + index * probeBytes
    const digest = digestOf(bytes.subarray(offset, offset + probeBytes))
    return { startBytes, endBytes: startBytes + probeBytes, offset, digest }
  })

const assertKept = async (target: Target, probes: readonly Probe[]): Promise<void> => {
  for (const probe of probes) {
    if ((await target.digest(probe, algorithm)) !== probe.digest) throw fakeCapacity(target.device, probe.startBytes)
  }
}

/**
 * Take the first MiB from a drive, so that nothing starts from it until it is finished, and try whether it holds as much as
 * it says: bytes at places over all of it, every one different, that must all still be there when the last is written.
 * Returns a second look, for when the image is written: at those that are not in `written`. Throws `FLASH_FAILED`, and what
 * the drive fails with.
 */
export const prepareTarget = async (
  target: Target,
  buffers: Buffers,
): Promise<(written: readonly Span[]) => Promise<void>> => {
  const { device } = target
  const { bytes, zeroOffset } = buffers
  const length = Math.min(headBytes, device.sizeBytes)
  await target.write({ offset: zeroOffset, length, position: 0 })
  await target.sync()
  const probes = probesOf(target, buffers)
  for (const { startBytes, offset } of probes) {
    await target.write({ offset, length: probeBytes, position: startBytes })
  }
  await target.sync()
  await assertKept(target, probes)
  const head = await target.digest({ startBytes: 0, endBytes: length }, algorithm)
  if (head !== digestOf(bytes.subarray(zeroOffset, zeroOffset + length))) throw fakeCapacity(device, 0)
  return (written) => {
    const isFree = (probe: Probe): boolean =>
      probe.startBytes >= headBytes &&
      !written.some(({ startBytes, endBytes }) => startBytes < probe.endBytes && probe.startBytes < endBytes)
    return assertKept(target, probes.filter(isFree))
  }
}
