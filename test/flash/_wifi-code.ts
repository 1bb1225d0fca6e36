import { pbkdf2Sync } from 'node:crypto'

/** What a phone makes of a code that joins a Wi-Fi network. */
export interface WifiCode {
  type: string
  ssid: string
  passphrase: string | undefined
}

/** Read such a code by its grammar (ZXing's wiki, "Barcode Contents"), not by what of pibake writes it; undefined for anything else. */
export const readWifiCode = (text: string | undefined): WifiCode | undefined => {
  const [, body] = /^WIFI:((?:[A-Z]:(?:\\.|[^\\;])*;)+);$/.exec(text ?? '') ?? []
  if (body === undefined) return undefined
  const fields = new Map(
    [...body.matchAll(/([A-Z]):((?:\\.|[^\\;])*);/g)].map(([, name, value = '']) => [
      name,
      value.replaceAll(/\\(.)/g, '$1'),
    ]),
  )
  return { type: fields.get('T') ?? '', ssid: fields.get('S') ?? '', passphrase: fields.get('P') }
}

/** A name in hexadecimal, as hostapd and wpa_supplicant take any name. */
export const toHex = (text: string): string => Buffer.from(text).toString('hex')

/** The key that a name and a pass phrase stand for (IEEE 802.11-2020, J.4.1). */
const keyOf = (ssid: string, passphrase: string): string =>
  pbkdf2Sync(passphrase, ssid, 4096, 32, 'sha1').toString('hex')

/** A network for wpa_supplicant.conf(5); `lines` are more of it. */
export const networkOf = ({ ssid, passphrase }: WifiCode, lines: readonly string[] = []): string =>
  [
    'network={',
    `	ssid=${toHex(ssid)}`,
    ...(passphrase === undefined
      ? ['	key_mgmt=NONE']
      : ['	key_mgmt=WPA-PSK', '	proto=RSN', '	pairwise=CCMP', `	psk=${keyOf(ssid, passphrase)}`]),
    ...lines.map((line) => `	${line}`),
    '}',
    '',
  ].join('\n')
