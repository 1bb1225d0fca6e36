import { networkInterfaces } from 'node:os'

type Interfaces = ReturnType<typeof networkInterfaces>

/** An address under which others may reach this machine. */
export interface LanAddress {
  /** Of the network interface: `eth0`, `wlan0`. */
  name: string
  /** As it stands in a URL: IPv6 in brackets. */
  host: string
}

const rank = ({ host }: LanAddress): number => (host.startsWith('[') ? 1 : 0)

/** The addresses of this machine but for loopback, IPv4 first; those of a link alone need an interface and are left out. */
export const lanAddresses = (interfaces: Interfaces = networkInterfaces()): LanAddress[] =>
  Object.entries(interfaces)
    .flatMap(([name, addresses = []]) =>
      addresses
        .filter(({ internal, address }) => !internal && !/^fe80:/i.test(address))
        .map(({ family, address }) => ({ name, host: family === 'IPv6' ? `[${address}]` : address })),
    )
    .sort((a, b) => rank(a) - rank(b))
