import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'
import { errnoOf, PibakeError } from '../core/error.ts'
import { type Issue, type Position, suggestion, throwIssues } from '../profile/issue.ts'
import { hostName } from '../profile/schema.ts'
import { type Cell, parseCsv } from './csv.ts'
import { splitKeys, sshKeyFault } from './ssh-key.ts'

const mostBytes = 4 << 20
const oneLine = z.string().regex(/^\P{Cc}*$/u, 'it has a line break or another sign that cannot be shown')
const peer = /^(?:tls|tcp|quic|ws|wss|socks|sockstls):\/\/\S+$/

/** The columns of a roster, without those for settings of stages. A cell that is empty counts as not there. */
const cardSchema = z.object({
  hostname: z.string('the card has no host name').toLowerCase().pipe(hostName).describe('Its host name.'),
  role: oneLine.max(80, 'it has more than 80 letters').optional().describe('What the card is for, for its label.'),
  wifi: oneLine
    .refine((name) => Buffer.byteLength(name) <= 32, 'the name of a Wi-Fi network has at most 32 bytes')
    .optional()
    .describe('Name of the Wi-Fi network: the node opens it, or joins it where it is no access point.'),
  passphrase: z
    .string()
    .regex(/^[ -~]{8,63}$/, 'a pass phrase of Wi-Fi has 8 to 63 letters, digits and signs of ASCII')
    .optional()
    .describe('Pass phrase of that network.'),
  country: z
    .string()
    .regex(/^[A-Z]{2}$/, 'a country is two capital letters, such as DE')
    .optional()
    .describe('Where the radio is, by its code.'),
  keys: z
    .string()
    .transform(splitKeys)
    .superRefine((keys, context) => {
      for (const [index, key] of keys.entries()) {
        const fault = sshKeyFault(key)
        if (fault !== undefined) context.addIssue(`${keys.length > 1 ? `key ${index + 1}` : 'the SSH key'} ${fault}`)
      }
    })
    .optional()
    .describe('SSH keys that may log in as root, one after the other.'),
  peers: z
    .string()
    .transform((text) => text.split(/\s+/))
    .refine((peers) => peers.every((item) => peer.test(item)), 'a peer is an address such as tls://192.0.2.1:9001')
    .optional()
    .describe('Peers that yggdrasil calls, separated by spaces.'),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'a user has at most 32 lower-case letters, digits, hyphens and underscores')
    .optional()
    .describe('Name of the user with the one-time password; `admin` if not said.'),
})

type CardColumns = z.output<typeof cardSchema>

/** One card of a roster. */
export interface RosterCard extends CardColumns {
  /** Values of settings, by `stage.setting`. */
  settings: ReadonlyMap<string, string>
  /** Where the cell of a column is; where the row begins for one that is not there. */
  placeOf(column: string): Position
}

export interface Roster {
  /** As it was named. */
  file: string
  cards: readonly RosterCard[]
}

const columns = Object.keys(cardSchema.shape)
const settingColumn = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*\.[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/

/** A mistake in a roster. The line itself is not shown: it may hold pass phrases, and messages go to the log. */
export const rosterIssue = (file: string, { line, column }: Position, message: string): Issue => ({
  ...{ file, line, column, message },
  excerpt: '',
  code: 'CONFIG_INVALID',
})

const readHeader = (file: string, header: readonly Cell[]): { names: string[]; issues: Issue[] } => {
  const issues: Issue[] = []
  const names = header.map((cell) => cell.text.toLowerCase())
  for (const [index, cell] of header.entries()) {
    const name = names[index] ?? ''
    if (name !== '' && names.indexOf(name) < index) {
      issues.push(rosterIssue(file, cell, `the column \`${name}\` stands here a second time`))
    } else if (!columns.includes(name) && !settingColumn.test(name)) {
      const known = columns.map((column) => `\`${column}\``).join(', ')
      const problem = name === '' ? 'this column has no name' : `unknown column \`${name}\`${suggestion(name, columns)}`
      issues.push(rosterIssue(file, cell, `${problem}; there are ${known} and settings such as \`portal.title\``))
    }
  }
  return { names, issues }
}

const readCard = (
  file: string,
  names: readonly string[],
  row: readonly Cell[],
): { card?: RosterCard; issues: Issue[] } => {
  const filled = new Map(
    row.flatMap((cell, index) => {
      const name = names[index]
      return name === undefined || cell.text === '' ? [] : [[name, cell] as const]
    }),
  )
  const [start = { line: 1, column: 1 }] = row
  const placeOf = (column: string): Position => filled.get(column) ?? start
  const extra = row.slice(names.length).find(({ text }) => text !== '')
  const issues = extra ? [rosterIssue(file, extra, 'this row has more cells than there are columns')] : []
  const texts = Object.fromEntries([...filled].map(([name, { text }]) => [name, text]))
  const settings = new Map(Object.entries(texts).filter(([name]) => name.includes('.')))
  for (const [name, text] of settings) {
    const { error } = oneLine.safeParse(text)
    if (error) issues.push(rosterIssue(file, placeOf(name), error.issues[0]?.message ?? 'it is no line'))
  }
  const { data, error } = cardSchema.safeParse(texts)
  for (const { path, message } of error?.issues ?? []) {
    issues.push(rosterIssue(file, placeOf(String(path[0])), message))
  }
  return { ...(data ? { card: { ...data, settings, placeOf } } : {}), issues }
}

const findTwice = (file: string, cards: readonly RosterCard[]): Issue[] => {
  const first = new Map<string, number>()
  return cards.flatMap(({ hostname, placeOf }) => {
    const place = placeOf('hostname')
    const line = first.get(hostname)
    if (line === undefined) first.set(hostname, place.line)
    return line === undefined ? [] : [rosterIssue(file, place, `the card \`${hostname}\` is in line ${line} already`)]
  })
}

/** Read the text of a roster. Throws CONFIG_INVALID with every mistake, its line and its column. */
export const parseRoster = (text: string, file: string): Roster => {
  const { rows, faults } = parseCsv(text)
  throwIssues(faults.map(({ message, ...place }) => rosterIssue(file, place, message)))
  const [header, ...body] = rows
  if (!header || body.length === 0) {
    throw new PibakeError('CONFIG_INVALID', `\`${file}\` names no card.`, {
      hint: `Its first line names the columns (${columns.join(', ')}), and each line after it is a card.`,
    })
  }
  const { names, issues } = readHeader(file, header)
  throwIssues(issues)
  const read = body.map((row) => readCard(file, names, row))
  const cards = read.flatMap(({ card }) => card ?? [])
  throwIssues([...read.flatMap((item) => item.issues), ...findTwice(file, cards)])
  return { file, cards }
}

/** Read a roster from a file, which is UTF-8. Throws USAGE when it cannot be read, CONFIG_INVALID with every mistake. */
export const readRoster = async (path: string, file: string): Promise<Roster> => {
  try {
    if ((await stat(path)).size > mostBytes) {
      throw new PibakeError('CONFIG_INVALID', `\`${file}\` is too large for a roster.`, {
        hint: 'A roster is a table of cards as text, such as a spreadsheet saves it as CSV.',
      })
    }
    return parseRoster(new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path)), file)
  } catch (error) {
    if (errnoOf(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
      throw new PibakeError('CONFIG_INVALID', `\`${file}\` is not UTF-8.`, {
        hint: 'Save it from the spreadsheet as "CSV UTF-8", not as its own kind of file.',
        cause: error,
      })
    }
    if (errnoOf(error) === undefined || error instanceof PibakeError) throw error
    throw new PibakeError('USAGE', `The roster \`${file}\` cannot be read (${errnoOf(error)}).`, {
      hint: 'Name a CSV file: `--roster cards.csv`.',
      cause: error,
    })
  }
}
