import { rm } from 'node:fs/promises'
import { connect, createServer, type ListenOptions, type Server, type Socket } from 'node:net'
import { basename, dirname } from 'node:path'
import { errnoOf, PibakeError } from '../core/error.ts'
import { holdSocketFolder } from './socket-folder.ts'

/** A listening relay; disposal closes it and every connection through it. */
export type Relay = AsyncDisposable

const pair = (one: Socket, other: Socket): void => {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to)
    from.on('error', () => to.destroy()).on('close', () => to.destroy())
  }
}

const listen = async (server: Server, where: ListenOptions): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject).listen(where, resolve)
  await promise
}

const relay = async (where: ListenOptions, dial: () => Socket): Promise<Relay> => {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: false }, (socket) => {
    open.add(socket.on('close', () => open.delete(socket)))
    pair(socket, dial())
  })
  await listen(server, where)
  return {
    [Symbol.asyncDispose]: async () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      server.close(() => resolve())
      for (const socket of open) socket.destroy()
      await promise
    },
  }
}

/** A relay between a port and a unix socket in an existing folder, which is held for as long as the relay is there. */
const relayThrough = async (path: string, begin: (socketPath: string) => Promise<Relay>): Promise<Relay> => {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await holdSocketFolder(dirname(path)))
  stack.use(await begin(folder.at(basename(path))))
  const owned = stack.move()
  return { [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/**
 * The inner end, beside QEMU in a network namespace without a route: each connection to the unix socket `path` (which
 * is made, in a folder that is there) goes on to TCP `port` on loopback. `path` may be of any length.
 */
export const serveRelay = async (path: string, port: number): Promise<Relay> => {
  await rm(path, { force: true })
  return relayThrough(path, (socketPath) => relay({ path: socketPath }, () => connect(port, '127.0.0.1')))
}

/**
 * The outer end, where people are: each connection to `port` of 127.0.0.1 goes on to the unix socket `path`, in a folder
 * that is there. Throws `BUSY` when the port is taken.
 */
export const listenRelay = async (port: number, path: string): Promise<Relay> => {
  try {
    return await relayThrough(path, (socketPath) => relay({ host: '127.0.0.1', port }, () => connect(socketPath)))
  } catch (cause) {
    if (errnoOf(cause) !== 'EADDRINUSE') throw cause
    throw new PibakeError('BUSY', `Port ${port} of this machine is taken.`, {
      hint: 'Choose another port for it, or end the program that listens there.',
      cause,
    })
  }
}

/** A TCP port of loopback that nothing listens on now. */
export const freePort = async (): Promise<number> => {
  const server = createServer()
  await listen(server, { host: '127.0.0.1', port: 0 })
  const address = server.address()
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  await promise
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}
