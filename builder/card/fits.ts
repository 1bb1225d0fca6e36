import { suggestion, throwIssues } from '../profile/issue.ts'
import { effectiveSetting, settingsOf } from './identity.ts'
import type { ImageTakes } from './image-takes.ts'
import { type Roster, type RosterCard, rosterIssue } from './roster.ts'

interface Fault {
  column: string
  message: string
}

/** What is wrong with a setting for an image, as a sentence; undefined when it can be set so. */
const settingFault = (name: string, value: string, { settings, takesSettings }: ImageTakes): string | undefined => {
  if (!takesSettings) return 'this image lets no card change a setting; bake it again with this pibake'
  const [stage = '', setting = ''] = name.split('.')
  const known = settings.get(stage)
  if (!known) return `the image has no stage \`${stage}\`${suggestion(stage, settings.keys())}`
  const given = known.get(setting)
  if (given === undefined) {
    return `the stage \`${stage}\` has no setting \`${setting}\`${suggestion(setting, known.keys())}`
  }
  if (/^(?:true|false)$/.test(given) && !/^(?:true|false)$/.test(value)) return `\`${name}\` is \`true\` or \`false\``
  if (/^\d+$/.test(given) && !/^\d+$/.test(value)) return `\`${name}\` is a number`
  return undefined
}

const settingFaults = (card: RosterCard, takes: ImageTakes): Fault[] =>
  [...settingsOf(card, takes)].flatMap(([name, { value, column }]) => {
    const message = settingFault(name, value, takes)
    return message === undefined ? [] : [{ column, message }]
  })

const wifiFaults = (card: RosterCard, takes: ImageTakes, hasLabels: boolean): Fault[] => {
  const { wifi, passphrase } = card
  if (wifi === undefined && passphrase === undefined) return []
  const column = wifi === undefined ? 'passphrase' : 'wifi'
  if (takes.stages.has('access-point')) {
    const settings = new Map([...settingsOf(card, takes)].map(([name, { value }]) => [name, value]))
    const isOpen = effectiveSetting('access-point.open', settings, takes) === 'true'
    if (passphrase !== undefined || isOpen || hasLabels) return []
    return [{ column, message: 'this network has no pass phrase; `--labels` makes one and prints it' }]
  }
  if (!takes.hasUsers)
    return [
      {
        column,
        message: 'the image opens and joins no Wi-Fi network; bake it again, with the stage `access-point` or `imager`',
      },
    ]
  if (wifi !== undefined) return []
  return [{ column, message: 'a pass phrase needs the name of its network, in the column `wifi`' }]
}

const otherFaults = (card: RosterCard, { stages, accounts, hasUsers }: ImageTakes, hasLabels: boolean): Fault[] => {
  const faults: Fault[] = []
  if (card.keys && !stages.has('ssh')) {
    faults.push({ column: 'keys', message: 'the image has no stage `ssh`, which would take these keys' })
  }
  if (card.user === undefined) return faults
  const column = 'user'
  if (!hasLabels) faults.push({ column, message: 'a user has a one-time password, on a label; add `--labels`' })
  if (!hasUsers) faults.push({ column, message: 'the image makes no user; bake it again, with the stage `imager`' })
  if (accounts.has(card.user)) {
    faults.push({ column, message: `\`${card.user}\` is an account of the image already; choose another name` })
  }
  return faults
}

/** Hold a roster against the image it is for. Throws CONFIG_INVALID with every mistake, its line and its column. */
export const assertFits = ({ file, cards }: Roster, takes: ImageTakes, { hasLabels }: { hasLabels: boolean }): void =>
  throwIssues(
    cards
      .flatMap((card) =>
        [
          ...otherFaults(card, takes, hasLabels),
          ...wifiFaults(card, takes, hasLabels),
          ...settingFaults(card, takes),
        ].map(({ column, message }) => rosterIssue(file, card.placeOf(column), message)),
      )
      .sort((a, b) => a.line - b.line || a.column - b.column),
  )
