import { basename, resolve } from 'node:path'
import { type Dealer, openDealer } from '../card/dealer.ts'
import { assertFits } from '../card/fits.ts'
import { type CardIdentity, identityFiles } from '../card/identity.ts'
import { readTakes } from '../card/image-takes.ts'
import { ledgerPath, lockLedger } from '../card/ledger.ts'
import { placeFiles } from '../card/place-files.ts'
import { type Roster, readRoster } from '../card/roster.ts'
import { openSheet } from '../card/sheet.ts'
import { hashFile } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { runStep } from '../core/event.ts'
import type { CardResult } from '../flash/card.ts'
import type { FlashOptions } from '../flash/flash.ts'
import type { ImageSource } from '../flash/source.ts'
import type { Paint } from '../report/style.ts'
import { renderTable } from '../report/table.ts'
import { openTools } from './chosen.ts'
import type { Result } from './command.ts'
import type { Context } from './context.ts'

/** What the command line says of cards with settings of their own. */
export interface CardOptions {
  roster: string | undefined
  labels: string | undefined
  only: readonly string[]
}

export const cardOptions = {
  roster: {
    type: 'string',
    describe: 'Table of cards (CSV): host name, Wi-Fi, keys … of each; the next ones are written',
  },
  labels: {
    type: 'string',
    describe: 'Write labels to print to this file; each card gets a name and a one-time password',
  },
  only: { type: 'string', array: true, default: [], describe: 'With --roster: these cards, even if written before' },
} as const

/** Whether each card gets something of its own. Throws USAGE for `--only` without a roster. */
export const wantsCards = ({ roster, labels, only }: CardOptions): boolean => {
  if (roster === undefined && only.length > 0) {
    throw new PibakeError('USAGE', '`--only` chooses among the cards of a roster, and none is named.', {
      hint: 'Name it: `--roster cards.csv`.',
    })
  }
  return roster !== undefined || labels !== undefined
}

/** Cards that are written, each with what is its own. */
export interface Cards extends AsyncDisposable {
  dealer: Dealer
  /** What `flashImage` has to know to write these identities, drive by drive. */
  flashOptions(identities: readonly CardIdentity[]): Promise<Required<Pick<FlashOptions, 'own' | 'onCard'>>>
  /** The name that a card was given. */
  nameOf(result: CardResult): string | undefined
}

const readNamed = (roster: string | undefined): Promise<Roster | undefined> =>
  roster === undefined ? Promise.resolve(undefined) : readRoster(resolve(roster), roster)

/**
 * Read the roster, hold it against the image and the ledger, and take the place for the labels: whatever is wrong with
 * them is thrown before a drive is opened.
 */
export const openCards = async (
  context: Context,
  { roster: rosterFile, labels, only }: CardOptions,
  source: ImageSource,
): Promise<Cards> => {
  const { project, emit, signal } = context
  const roster = await readNamed(rosterFile)
  const { path, label, sizeBytes = 0 } = source
  const takes = await runStep(emit, { id: 'takes', title: `Look what ${label} takes` }, () => readTakes(path, label))
  if (roster) assertFits(roster, takes, { hasLabels: labels !== undefined })
  await using stack = new AsyncDisposableStack()
  const ledger = ledgerPath(project)
  stack.use(await lockLedger(ledger))
  const sheet = labels === undefined ? undefined : stack.use(await openSheet(resolve(labels), label))
  const sha256 = await runStep(emit, { id: 'hash', title: `Hash ${label} for the ledger` }, () =>
    hashFile(path, { signal }),
  )
  const image = { name: label, sha256, sizeBytes }
  const tools = await openTools(context)
  const dealer = await openDealer({ roster, only, takes, image, ledger, sheet, tools, signal })
  if (dealer.before.length > 0) {
    const names = dealer.before.map(({ hostname }) => `\`${hostname}\``).join(', ')
    const message = `Written before, and left out: ${names}. \`--only NAME\` writes a card again.`
    emit({ type: 'notice', level: 'info', message })
  }
  if (dealer.left() === 0) {
    throw new PibakeError('USAGE', `All cards of \`${rosterFile}\` were written before.`, {
      hint: 'Name those that are to be written again: `--only NAME`.',
    })
  }
  const names = new WeakMap<CardResult, string>()
  const owned = stack.move()
  return {
    dealer,
    nameOf: (result) => names.get(result),
    async flashOptions(identities) {
      const now = new Date()
      const place = (identity: CardIdentity) => placeFiles({ path, label }, identityFiles(identity), now)
      return {
        own: await Promise.all(identities.map(place)),
        async onCard(result, index) {
          const identity = identities[index]
          if (!identity) return
          names.set(result, identity.hostname)
          if (result.outcome === 'failed') return dealer.giveBack(identity)
          await dealer.finish(identity, result.device)
          const message = `The card in \`${result.device.name}\` is \`${identity.hostname}\`.`
          emit({ type: 'notice', level: 'info', message })
        },
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** As many cards as drives are named. Throws USAGE when the roster has fewer. */
export const takeAll = async ({ dealer }: Cards, count: number): Promise<CardIdentity[]> => {
  const left = dealer.left()
  if (left < count) {
    throw new PibakeError(
      'USAGE',
      `The roster has ${left} card${left === 1 ? '' : 's'} left, and ${count} drives are named.`,
      {
        hint: 'Name fewer drives; `--only NAME` writes a card again.',
      },
    )
  }
  return dealer.take(count)
}

/** What to do with the labels, for people. */
export const labelLines = ({ labels }: CardOptions, count: number, paint: Paint): string[] =>
  labels === undefined || count === 0
    ? []
    : [
        '',
        `${paint('bold', basename(labels))} has ${count === 1 ? 'a label' : `${count} labels`}, with passwords: print it, then delete it.`,
      ]

/** The cards of a roster, held against an image if there is one, without anything secret. */
export const describeRoster = async (
  { roster: file, labels }: CardOptions,
  image: { path: string; label: string } | undefined,
): Promise<Result> => {
  const roster = await readNamed(file)
  if (roster && image) {
    assertFits(roster, await readTakes(image.path, image.label), { hasLabels: labels !== undefined })
  }
  const data = (roster?.cards ?? []).map(({ hostname, role, wifi, keys = [] }) => ({
    ...{ hostname, role, wifi },
    keys: keys.length,
  }))
  return {
    data,
    lines: (paint) =>
      renderTable(
        data.map(({ hostname, role = '', wifi = '', keys }) => [
          paint('bold', hostname),
          role,
          wifi === '' ? '' : `Wi-Fi ${wifi}`,
          keys === 0 ? '' : `${keys} SSH key${keys === 1 ? '' : 's'}`,
        ]),
      ),
  }
}
