import test from 'ava'
import { drawMoments } from '../../builder/boot/power-cut.ts'
import { survivingWrites, type WriteLogEntry } from '../../builder/boot/write-log.ts'

const entry = (index: number): WriteLogEntry => ({
  offset: 0,
  lengthBytes: 512,
  dataOffset: 1024 * (index + 1),
  isFlush: false,
  isForced: false,
})

test('moments: a quarter in the first boot, in order, each with something before it', (t) => {
  const entries = Array.from({ length: 100 }, (_, index) => entry(index))
  const bootedBytes = 1024 * 40 + 512
  for (const number of [0, 0.5, 0.999_999]) {
    const moments = drawMoments(entries, { bootedBytes, cuts: 8, random: () => number })
    t.is(moments.filter(({ isFirstBoot }) => isFirstBoot).length, 2)
    for (const { isFirstBoot, count } of moments)
      t.true(isFirstBoot ? count >= 1 && count <= 40 : count > 40 && count <= 100)
  }
})

test('writes that are forced need no flush', (t) => {
  const entries = [entry(0), { ...entry(1), isForced: true }, entry(2)]
  t.deepEqual(
    survivingWrites(entries, 3, () => false),
    entries.slice(1, 2),
  )
})
