import { PibakeError } from '../core/error.ts'
import type { CardResult } from '../flash/card.ts'
import type { Tools } from '../host/sandbox.ts'
import { type CardIdentity, makeIdentity } from './identity.ts'
import type { ImageTakes } from './image-takes.ts'
import { labelOf } from './label.ts'
import { appendLedger, type LedgerEntry, readLedger } from './ledger.ts'
import { makeName } from './names.ts'
import { hashPasswords, makePassword } from './one-time.ts'
import type { Roster, RosterCard } from './roster.ts'
import type { Sheet } from './sheet.ts'

/** Gives cards their identities, one after the other. */
export interface Dealer {
  /** How many cards the roster still has; infinite without one. */
  left(): number
  /** Cards of the roster that were written before, and are left out. */
  before: readonly LedgerEntry[]
  /** The next identities; fewer where the roster has no more. */
  take(count: number): Promise<CardIdentity[]>
  /** What was taken did not become a card: its turn comes again. Once is enough; for a card that is done it does nothing. */
  giveBack(identity: CardIdentity): void
  /** The card is done: enter it into the ledger, and print its label. Throws DISK_FULL, USAGE. */
  finish(identity: CardIdentity, device: CardResult['device']): Promise<void>
}

export interface DealerOptions {
  roster: Roster | undefined
  /** Names of cards in the roster: these and no others, whether they were written before or not. Empty means all. */
  only: readonly string[]
  takes: ImageTakes
  image: LedgerEntry['image']
  ledger: string
  sheet: Sheet | undefined
  tools: Tools
  signal: AbortSignal
}

/** The cards that were named. Throws UNKNOWN_NAME for one that the roster does not have. */
const chooseCards = ({ file, cards }: Roster, only: readonly string[]): readonly RosterCard[] => {
  const unknown = only.filter((name) => !cards.some(({ hostname }) => hostname === name))
  if (unknown.length > 0) {
    throw new PibakeError('UNKNOWN_NAME', `\`${file}\` has no card \`${unknown[0]}\`.`, {
      hint: `It has ${cards.map(({ hostname }) => `\`${hostname}\``).join(', ')}.`,
    })
  }
  return only.length === 0 ? cards : cards.filter(({ hostname }) => only.includes(hostname))
}

/** Begin to deal the cards of a roster that fits the image, without those in the ledger. Throws UNKNOWN_NAME. */
export const openDealer = async (options: DealerOptions): Promise<Dealer> => {
  const { roster, only, takes, image, ledger, sheet, tools, signal } = options
  const entries = await readLedger(ledger)
  const written = new Map(entries.map((entry) => [entry.hostname, entry]))
  const names = new Set([...written.keys(), ...(roster?.cards ?? []).map(({ hostname }) => hostname)])
  const chosen = roster && chooseCards(roster, only)
  const before = only.length > 0 ? [] : (chosen ?? []).flatMap(({ hostname }) => written.get(hostname) ?? [])
  const isBefore = new Set(before.map(({ hostname }) => hostname))
  const waiting = chosen?.filter(({ hostname }) => !isBefore.has(hostname))
  const rows = new Map<CardIdentity, RosterCard>()
  const turns = new Map<CardIdentity, number>()

  const nextName = (): string => {
    const name = makeName(names)
    names.add(name)
    return name
  }
  return {
    left: () => waiting?.length ?? Number.POSITIVE_INFINITY,
    before,
    async take(count) {
      const cards = waiting ? waiting.splice(0, count) : Array.from({ length: count }, () => undefined)
      const passwords = cards.map(makePassword)
      const hashes = sheet && takes.hasUsers ? await hashPasswords(passwords, { tools, signal }) : []
      return cards.map((card, index) => {
        const secrets = { password: passwords[index] ?? '', hash: hashes[index] ?? '', passphrase: makePassword() }
        const made = { hostname: card?.hostname ?? nextName(), secrets: sheet ? secrets : undefined }
        const identity = makeIdentity(card, takes, made)
        if (card) rows.set(identity, card)
        turns.set(identity, turns.size)
        return identity
      })
    },
    giveBack(identity) {
      const card = rows.get(identity)
      rows.delete(identity)
      if (card) waiting?.unshift(card)
    },
    async finish(identity, { name, model, serial, sizeBytes }) {
      const { hostname, role } = identity
      rows.delete(identity)
      await sheet?.add(labelOf(identity, takes), turns.get(identity) ?? 0)
      await appendLedger(ledger, {
        time: new Date().toISOString(),
        hostname,
        ...(role === undefined ? {} : { role }),
        image,
        device: { name, model, serial, sizeBytes },
      })
    },
  }
}
