import test from 'ava'
import { probeBytes, probePlaces, probesAtMost } from '../../builder/flash/probe-places.ts'

const mib = 1 << 20
const gib = 1 << 30

for (const sizeBytes of [2 * mib, 64 * mib - 512, 7_948_206_080, 63_864_569_856, 2 ** 41, 2 ** 52]) {
  test(`places on a drive of ${sizeBytes} bytes are on it, apart, whole and few`, (t) => {
    const places = probePlaces(sizeBytes)
    t.true(places.length <= probesAtMost)
    t.true(places.every((place) => place % probeBytes === 0 && place >= mib && place + probeBytes <= sizeBytes))
    t.true(places.every((place, index) => index === 0 || place > (places[index - 1] ?? 0)))
    t.is(places.at(-1), sizeBytes - (sizeBytes % probeBytes) - probeBytes, 'the end is tried')
  })
}

test('a chip of any power of two is caught, whether it drops addresses or wraps them around', (t) => {
  const claimed = 64 * gib
  const places = probePlaces(claimed)
  for (let real = 64 * mib; real < claimed; real *= 2) {
    t.true(places.includes(real), 'lost beyond')
    const wrapped = new Map<number, number>()
    for (const place of places) wrapped.set(place % real, (wrapped.get(place % real) ?? 0) + 1)
    t.true(wrapped.has(0) || [...wrapped.values()].some((count) => count > 1), `wrapped at ${real}`)
  }
})

test('a chip of an odd size that wraps around hits an image of a fifth of it', (t) => {
  const claimed = 64 * gib
  for (const real of [5.1 * gib, 7.3 * gib, 11.7 * gib, 29.4 * gib]) {
    const whole = Math.floor(real / 512) * 512
    const hits = probePlaces(claimed).filter((place) => place >= whole && place % whole < whole / 5)
    t.true(hits.length > 0, `${real}`)
  }
})
