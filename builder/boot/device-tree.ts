/** Tokens of the structure block, and the header's fields for its place (Devicetree Specification 0.4, chapter 5). */
const tokens = { beginNode: 1, endNode: 2, property: 3, nothing: 4, end: 9 } as const
const magic = 0xd00dfeed
const header = { structOffset: 8, version: 20, structSize: 36 } as const

const aligned = (offset: number): number => (offset + 3) & ~3

/**
 * A flattened device tree in which the Bluetooth controller of each serial port is overwritten with NOP tokens. Linux
 * keeps a port with a device below it to itself (drivers/tty/serdev); without one it is a terminal again, which the
 * guest's root shell needs. Returns undefined for bytes that are no device tree.
 */
export const withoutBluetooth = (tree: Uint8Array): Buffer | undefined => {
  const bytes = Buffer.from(tree)
  if (bytes.length < 40 || bytes.readUInt32BE(0) !== magic || bytes.readUInt32BE(header.version) < 17) return undefined
  const start = bytes.readUInt32BE(header.structOffset)
  const end = start + bytes.readUInt32BE(header.structSize)
  if (end > bytes.length) return undefined
  const open: { name: string; at: number }[] = []
  let at = start
  while (at + 4 <= end) {
    const token = bytes.readUInt32BE(at)
    if (token === tokens.end) return bytes
    if (token === tokens.beginNode) {
      const nameEnd = bytes.indexOf(0, at + 4)
      if (nameEnd < 0 || nameEnd >= end) return undefined
      open.push({ name: bytes.toString('latin1', at + 4, nameEnd), at })
      at = aligned(nameEnd + 1)
    } else if (token === tokens.property) {
      if (at + 12 > end) return undefined
      at = aligned(at + 12 + bytes.readUInt32BE(at + 4))
    } else if (token === tokens.endNode || token === tokens.nothing) {
      at += 4
      if (token === tokens.nothing) continue
      const node = open.pop()
      const isController = node?.name === 'bluetooth' && open.at(-1)?.name.startsWith('serial@')
      if (node && isController) for (let nop = node.at; nop < at; nop += 4) bytes.writeUInt32BE(tokens.nothing, nop)
    } else return undefined
  }
  return undefined
}
