import type { ExecutionContext } from 'ava'
import type { Card } from './_pair.ts'
import { networkOf, type WifiCode } from './_wifi-code.ts'

/** A phone beside a node, on one of the simulated radios. */
export interface Phone {
  /** Why it is not let in, or undefined: it is. */
  join(code: WifiCode): Promise<string | undefined>
  /** Ask for an address: `ADDRESS`, `NAMESERVER` and `DOMAIN`. */
  lease(): Promise<Record<string, string>>
  /** The IPv4 address that a name has for the network's name server. */
  resolve(name: string): Promise<string>
  /** The IPv4 address that a name has by multicast DNS. */
  find(name: string): Promise<string>
  /** What a web server says. */
  fetch(address: URL): Promise<string>
  off(): Promise<void>
}

export const openPhone = async (t: ExecutionContext, { guest, say }: Card, radio: string): Promise<Phone> => {
  t.is(await say(`/root/phone on ${radio}`), '')
  return {
    async join(code) {
      await guest.push('/run/phone/wpa.conf', Buffer.from(networkOf(code)), 0o600)
      const { exitCode, output } = await guest.run('/root/phone join', { timeoutMs: 240_000 })
      return exitCode === 0 ? undefined : output.trim()
    },
    lease: async () =>
      Object.fromEntries(
        [...(await say('/root/phone lease', 240_000)).matchAll(/^([A-Z]+)=(.*)$/gm)].map(([, name, value]) => [
          name,
          value,
        ]),
      ),
    resolve: (name) => say(`/root/phone do getent ahostsv4 ${name} | awk '{print $1}' | sort -u`),
    find: (name) => say(`/root/phone find ${name}`),
    fetch: ({ hostname, port, pathname }) =>
      say(`/root/phone do /usr/lib/pibake/http-get ${hostname} ${port || 80} ${pathname}`),
    off: async () => {
      await say('/root/phone off')
    },
  }
}
