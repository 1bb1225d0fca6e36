import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type DealerOptions, openDealer } from '../../builder/card/dealer.ts'
import type { Label } from '../../builder/card/label.ts'
import { readLedger } from '../../builder/card/ledger.ts'
import { parseRoster } from '../../builder/card/roster.ts'
import { scratch } from '../support/scratch.ts'
import { oldTakes } from './_takes.ts'

const device = { name: 'sdb', path: '/dev/sdb', model: 'SD Card Reader', serial: '0123', sizeBytes: 32e9 }
const roster = parseRoster('hostname,role\nalder,gate\nbirch,\ncedar,\n', 'cards.csv')

const open = async (t: ExecutionContext, more: Partial<DealerOptions> = {}) => {
  const ledger = more.ledger ?? join(await scratch(t), 'cards.jsonl')
  const labels: Label[] = []
  const sheet = { add: async (label: Label) => void labels.push(label), [Symbol.asyncDispose]: async () => undefined }
  const dealer = await openDealer({
    // This image makes no user, so no password has to be hashed.
    takes: oldTakes,
    image: { name: 'mesh.img', sha256: 'a'.repeat(64), sizeBytes: 7 },
    tools: { root: '/nowhere' },
    signal: new AbortController().signal,
    ...{ roster, only: [], ledger, sheet },
    ...more,
  })
  return { dealer, ledger, labels }
}

const namesOf = (cards: readonly { hostname: string }[]): string[] => cards.map(({ hostname }) => hostname)

test('cards of a roster come in its order, and those that failed come again', async (t) => {
  const { dealer } = await open(t)
  t.is(dealer.left(), 3)
  const [alder, birch] = await dealer.take(2)
  t.deepEqual([alder?.hostname, birch?.hostname, dealer.left()], ['alder', 'birch', 1])
  if (!alder || !birch) return
  dealer.giveBack(alder)
  dealer.giveBack(alder)
  t.is(dealer.left(), 2)
  t.deepEqual(namesOf(await dealer.take(9)), ['alder', 'cedar'])
  t.deepEqual(await dealer.take(1), [])
})

test('a card that is done is in the ledger and has a label; it is left out the next time', async (t) => {
  const { dealer, ledger, labels } = await open(t)
  const [alder] = await dealer.take(1)
  if (!alder) return t.fail()
  await dealer.finish(alder, device)
  dealer.giveBack(alder)
  t.is(dealer.left(), 2)
  t.deepEqual(namesOf(labels), ['alder'])
  const [entry] = await readLedger(ledger)
  t.like(entry, { hostname: 'alder', role: 'gate', image: { name: 'mesh.img' }, device: { serial: '0123' } })
  const text = JSON.stringify(entry)
  t.false(text.includes(labels[0]?.wifi?.passphrase ?? 'no pass phrase'), 'nothing secret')

  const next = await open(t, { ledger })
  t.deepEqual(namesOf(next.dealer.before), ['alder'])
  t.deepEqual(namesOf(await next.dealer.take(9)), ['birch', 'cedar'])
  const again = await open(t, { ledger, only: ['alder', 'cedar'] })
  t.deepEqual(namesOf(again.dealer.before), [])
  t.deepEqual(namesOf(await again.dealer.take(9)), ['alder', 'cedar'])
})

test('a card that the roster does not have', async (t) => {
  await t.throwsAsync(open(t, { only: ['alder', 'oak'] }), {
    code: 'UNKNOWN_NAME',
    message: '`cards.csv` has no card `oak`.',
  })
})

test('without a roster there is no end, and no name comes twice, in later runs neither', async (t) => {
  const { dealer, ledger } = await open(t, { roster: undefined })
  t.is(dealer.left(), Number.POSITIVE_INFINITY)
  const cards = await dealer.take(50)
  for (const card of cards) await dealer.finish(card, device)
  t.is(new Set(namesOf(cards)).size, 50)
  const next = await open(t, { roster: undefined, ledger })
  const more = namesOf(await next.dealer.take(50))
  t.is(new Set([...namesOf(cards), ...more]).size, 100)
})

test('pass phrases that are made are all different', async (t) => {
  const { dealer } = await open(t, { roster: undefined })
  const phrases = (await dealer.take(20)).map(({ wifi }) => wifi?.passphrase)
  t.is(new Set(phrases).size, 20)
  for (const phrase of phrases) t.regex(phrase ?? '', /^[bcdefghjknprstuvx]{16}$/)
})
