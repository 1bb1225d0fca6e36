import type { ImageTakes } from './image-takes.ts'
import type { RosterCard } from './roster.ts'

/** A Wi-Fi network: the node's own, or one that it joins. */
export interface Wifi {
  kind: 'opens' | 'joins'
  ssid: string
  /** Empty where everyone may join. */
  passphrase: string
  country: string | undefined
}

/** The user that a card is looked after by, and the password for the first login. */
export interface CardUser {
  name: string
  password: string
  /** For crypt(5); all that the card learns of it. */
  hash: string
}

/** Everything that makes one card itself. It holds secrets: never part of an event, a log or a result. */
export interface CardIdentity {
  hostname: string
  role: string | undefined
  user: CardUser | undefined
  wifi: Wifi | undefined
  keys: readonly string[]
  /** Values by `stage.setting`. */
  settings: ReadonlyMap<string, string>
}

/** What is made up for one card, where its row does not say. */
export interface MadeUp {
  hostname: string
  /** Undefined without a label to print them on. */
  secrets: { password: string; hash: string; passphrase: string } | undefined
}

const defaultUser = 'admin'
const accessPoint = 'access-point'

/** Settings that a card of a roster asks for, by `stage.setting`, and the column that each came from. */
export const settingsOf = (
  { settings, peers, country }: Pick<RosterCard, 'settings' | 'peers' | 'country'>,
  { stages }: Pick<ImageTakes, 'stages'>,
): Map<string, { value: string; column: string }> => {
  const all = new Map([...settings].map(([name, value]) => [name, { value, column: name }]))
  if (peers) all.set('yggdrasil.peers', { value: peers.join(' '), column: 'peers' })
  if (country !== undefined && stages.has(accessPoint)) {
    all.set(`${accessPoint}.country`, { value: country, column: 'country' })
  }
  return all
}

/** What a setting will be on a card: its own value, else the image's. */
export const effectiveSetting = (
  name: string,
  settings: ReadonlyMap<string, string>,
  takes: Pick<ImageTakes, 'settings'>,
): string => {
  const [stage = '', setting = ''] = name.split('.')
  return settings.get(name) ?? takes.settings.get(stage)?.get(setting) ?? ''
}

const wifiOf = (
  card: Partial<RosterCard>,
  { hostname, settings }: Pick<CardIdentity, 'hostname' | 'settings'>,
  takes: ImageTakes,
  secrets: MadeUp['secrets'],
): Wifi | undefined => {
  const { wifi, passphrase, country } = card
  if (!takes.stages.has(accessPoint)) {
    return wifi === undefined ? undefined : { kind: 'joins', ssid: wifi, passphrase: passphrase ?? '', country }
  }
  const isOpen = effectiveSetting(`${accessPoint}.open`, settings, takes) === 'true'
  const phrase = passphrase ?? (isOpen ? '' : secrets?.passphrase)
  if (phrase === undefined) return undefined
  const ssid = wifi ?? (effectiveSetting(`${accessPoint}.ssid`, settings, takes) || hostname)
  return { kind: 'opens', ssid, passphrase: phrase, country }
}

/**
 * What one card is to be: what its row of the roster says, the rest made up. Without a row all of it is. A password is
 * only given where there is a label to print it on; so is a pass phrase that nobody chose.
 */
export const makeIdentity = (
  card: RosterCard | undefined,
  takes: ImageTakes,
  { hostname: made, secrets }: MadeUp,
): CardIdentity => {
  const hostname = card?.hostname ?? made
  const settings = card
    ? new Map([...settingsOf(card, takes)].map(([name, { value }]) => [name, value]))
    : new Map<string, string>()
  const user = secrets &&
    takes.hasUsers && { name: card?.user ?? defaultUser, password: secrets.password, hash: secrets.hash }
  return {
    hostname,
    role: card?.role,
    user: user || undefined,
    wifi: wifiOf(card ?? {}, { hostname, settings }, takes, secrets),
    keys: card?.keys ?? [],
    settings,
  }
}

const lines = (entries: Readonly<Record<string, string | undefined>>): string =>
  Object.entries(entries)
    .map(([key, value]) => (value === undefined || value === '' ? '' : `${key}=${value}\n`))
    .join('')

/**
 * The files for the boot partition of a card, by name. The stages of the image take them at the first boot, and remove
 * them: `first-boot` the host name and the settings, `ssh` the keys, `access-point` or `imager` the Wi-Fi, `imager` the user.
 */
export const identityFiles = ({ hostname, user, wifi, keys, settings }: CardIdentity): Map<string, Buffer> => {
  const { kind, ssid, passphrase, country } = wifi ?? {}
  const texts: Record<string, string> = {
    hostname: `${hostname}\n`,
    authorized_keys: keys.map((key) => `${key}\n`).join(''),
    settings: lines(Object.fromEntries(settings)),
    'one-time-password': user ? `${user.name}:${user.hash}\n` : '',
    [accessPoint]: kind === 'opens' ? lines({ ssid, passphrase }) : '',
    wifi: kind === 'joins' ? lines({ ssid, passphrase, country }) : '',
  }
  const given = Object.entries(texts).filter(([, text]) => text !== '')
  return new Map(given.map(([name, text]) => [name, Buffer.from(text)]))
}
