import type { Inode } from './ext4-inode.ts'
import type { Ext4Layout } from './ext4-layout.ts'
import type { Medium } from './volume.ts'

const magic = 0xea02_0000

/** What the number before a name stands for; see "Extended Attributes" in the kernel's ext4 documentation. */
const prefixes: Readonly<Record<number, string>> = {
  0: '',
  1: 'user.',
  2: 'system.posix_acl_access',
  3: 'system.posix_acl_default',
  4: 'trusted.',
  6: 'security.',
  7: 'system.',
  8: 'system.richacl',
}

/** Attributes listed in `bytes` from `at` on, their values at offsets from `base`. */
const decodeAttributes = (bytes: Buffer, at: number, base: number): [name: string, value: string][] => {
  const found: [string, string][] = []
  let position = at
  while (position + 16 <= bytes.length && bytes.readUInt32LE(position) !== 0) {
    const nameBytes = bytes.readUInt8(position)
    const name = bytes.toString('utf8', position + 16, position + 16 + nameBytes)
    const start = base + bytes.readUInt16LE(position + 2)
    const value = bytes.toString('hex', start, start + bytes.readUInt32LE(position + 8))
    found.push([`${prefixes[bytes.readUInt8(position + 1)] ?? '?'}${name}`, value])
    position += 16 + Math.ceil(nameBytes / 4) * 4
  }
  return found
}

/** The extended attributes of an inode, sorted by name, values in hexadecimal; undefined when it has none. */
export const readAttributes = (
  medium: Medium,
  { blockBytes }: Ext4Layout,
  { rest, attributeBlock }: Inode,
): Record<string, string> | undefined => {
  const inside = rest.length >= 4 && rest.readUInt32LE(0) === magic ? decodeAttributes(rest, 4, 4) : []
  let outside: typeof inside = []
  if (attributeBlock !== 0) {
    const block = medium.read(attributeBlock * blockBytes, blockBytes)
    if (block.readUInt32LE(0) !== magic) throw medium.invalid('has a damaged ext4: a block of attributes is none')
    outside = decodeAttributes(block, 32, 0)
  }
  const all = [...inside, ...outside].sort(([a], [b]) => (a < b ? -1 : 1))
  return all.length === 0 ? undefined : Object.fromEntries(all)
}
