import { type CardIdentity, effectiveSetting } from './identity.ts'
import type { ImageTakes } from './image-takes.ts'

/** What is printed for one card. It holds secrets. */
export interface Label {
  hostname: string
  role: string | undefined
  /** Names by which the node is found, best first. */
  addresses: readonly string[]
  /** Address of its front page, where it has one that can be told beforehand. */
  portal: string | undefined
  wifi: { ssid: string; passphrase: string } | undefined
  login: { user: string; password: string } | undefined
}

/** A card's label, as far as its image and its own settings tell how the node will be found. */
export const labelOf = (identity: CardIdentity, takes: Pick<ImageTakes, 'stages' | 'settings'>): Label => {
  const { hostname, role, user, wifi, settings } = identity
  const setting = (name: string): string => effectiveSetting(`access-point.${name}`, settings, takes)
  const isAccessPoint = wifi?.kind === 'opens'
  const local = takes.stages.has('avahi') ? [`${hostname}.local`] : []
  const domain = isAccessPoint && setting('domain') !== '' ? [`${hostname}.${setting('domain')}`] : []
  // Every phone on the node's own Wi-Fi finds it by this number, whatever it thinks of names.
  const host = isAccessPoint && setting('address') !== '' ? setting('address') : local[0]
  return {
    hostname,
    role,
    addresses: [...local, ...domain],
    portal: takes.stages.has('portal') && host !== undefined ? `http://${host}/` : undefined,
    wifi: wifi && { ssid: wifi.ssid, passphrase: wifi.passphrase },
    login: user && { user: user.name, password: user.password },
  }
}

/**
 * The code that joins a Wi-Fi network, as phones understand it (ZXing's wiki, "Barcode Contents"); the portal of a node
 * shows the same.
 */
export const wifiCode = ({ ssid, passphrase }: NonNullable<Label['wifi']>): string => {
  const quote = (text: string): string => text.replaceAll(/[\\;,:"]/g, '\\$&')
  return passphrase === '' ? `WIFI:T:nopass;S:${quote(ssid)};;` : `WIFI:T:WPA;S:${quote(ssid)};P:${quote(passphrase)};;`
}
