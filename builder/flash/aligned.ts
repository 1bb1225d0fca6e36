/** What is used here of the WebAssembly interface, which the compiler's library for Node leaves out. */
declare const WebAssembly: {
  Memory: new (limits: {
    initial: number
    maximum: number
    shared: boolean
  }) => { buffer: ArrayBuffer | SharedArrayBuffer }
}

const pageBytes = 64 << 10

/**
 * Memory of at least `sizeBytes` that begins at a page boundary, as O_DIRECT wants it (open(2)), and that threads can
 * share. That of WebAssembly is the only memory of Node's that is known to lie so.
 */
export const alignedMemory = (sizeBytes: number): SharedArrayBuffer => {
  const pages = Math.ceil(sizeBytes / pageBytes)
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  if (!(buffer instanceof SharedArrayBuffer)) throw new Error('memory that is to be shared is not')
  return buffer
}
