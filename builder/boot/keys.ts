const controlA = 0x01
const controlC = 0x03

/**
 * Watches what is typed at a serial console: Ctrl-A X or Ctrl-C ask to quit, Ctrl-A Ctrl-A types one Ctrl-A. Returns
 * what goes on to the guest.
 */
export const createKeyFilter = (onQuit: () => void): ((typed: Uint8Array) => Uint8Array) => {
  let escaped = false
  const take = (byte: number): number[] => {
    if (byte === controlC) {
      escaped = false
      onQuit()
      return []
    }
    if (!escaped) {
      escaped = byte === controlA
      return escaped ? [] : [byte]
    }
    escaped = false
    if (byte === controlA) return [controlA]
    if (byte === 'x'.charCodeAt(0) || byte === 'X'.charCodeAt(0)) {
      onQuit()
      return []
    }
    return [controlA, byte]
  }
  return (typed) => Uint8Array.from([...typed].flatMap(take))
}
