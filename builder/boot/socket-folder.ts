import { open } from 'node:fs/promises'

/** A folder of unix sockets; disposal lets go of it and leaves it as it is. */
export interface SocketFolder extends AsyncDisposable {
  /** A path to listen at or to connect to, for as long as the folder is held. */
  at: (name: string) => string
}

/**
 * Hold an existing folder, so that the sockets in it can be named by a short path wherever it is: the address of a unix
 * socket has room for 107 bytes (unix(7)), and the file descriptor takes the place of the folder's own path.
 */
export const holdSocketFolder = async (folder: string): Promise<SocketFolder> => {
  const handle = await open(folder, 'r')
  return {
    at: (name) => `/proc/self/fd/${handle.fd}/${name}`,
    [Symbol.asyncDispose]: () => handle.close(),
  }
}
