import { join } from 'node:path'
import type { Forward } from './machine.ts'
import { freePort, listenRelay, type Relay, serveRelay } from './relay.ts'

const relayPath = (folder: string, { host }: Forward): string => join(folder, `${host}.sock`)

const ownAll = async (relays: Iterable<() => Promise<Relay>>): Promise<Relay> => {
  await using stack = new AsyncDisposableStack()
  for (const begin of relays) stack.use(await begin())
  const owned = stack.move()
  return { [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** The outer half, for a process in the host's network namespace: listen on 127.0.0.1 for each forward. */
export const listenForwards = (forwards: readonly Forward[], relayFolder: string): Promise<Relay> =>
  ownAll(forwards.map((forward) => () => listenRelay(forward.host, relayPath(relayFolder, forward))))

/** The inner half, beside QEMU: `inner` says on which ports of loopback there QEMU has to take each forward. */
export const serveForwards = async (
  forwards: readonly Forward[],
  relayFolder: string,
): Promise<Relay & { inner: Forward[] }> => {
  const inner: Forward[] = []
  const relays = await ownAll(
    forwards.map((forward) => async () => {
      const port = await freePort()
      inner.push({ guest: forward.guest, host: port })
      return serveRelay(relayPath(relayFolder, forward), port)
    }),
  )
  return { inner, ...relays }
}
