import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** A member of an ar archive: bytes, or a file whose content it takes. */
export type ArMember = { name: string } & ({ bytes: Uint8Array } | { source: string })

/** The 60-byte member header in the common format that deb(5) prescribes, see ar(5). */
const header = (name: string, sizeBytes: number, timeSeconds: number): Buffer => {
  if (name.length > 16 || sizeBytes > 9_999_999_999) throw new Error(`does not fit an ar header: ${name}, ${sizeBytes}`)
  const fields = [
    name.padEnd(16),
    String(timeSeconds).padEnd(12),
    '0'.padEnd(6),
    '0'.padEnd(6),
    '100644'.padEnd(8),
    String(sizeBytes).padEnd(10),
  ]
  return Buffer.from(`${fields.join('')}\`\n`, 'latin1')
}

const archive = async function* (members: readonly ArMember[], timeSeconds: number) {
  yield Buffer.from('!<arch>\n', 'latin1')
  for (const member of members) {
    const sizeBytes = 'bytes' in member ? member.bytes.length : (await stat(member.source)).size
    yield header(member.name, sizeBytes, timeSeconds)
    if ('bytes' in member) yield member.bytes
    else for await (const chunk of createReadStream(member.source)) yield chunk as Uint8Array
    if (sizeBytes % 2 === 1) yield Buffer.from('\n', 'latin1')
  }
}

/** Write an ar archive with `members` in their order, all owned by root with the same time (seconds since 1970). */
export const writeAr = (
  path: string,
  members: readonly ArMember[],
  options: { timeSeconds: number; signal?: AbortSignal },
): Promise<void> =>
  pipeline(
    Readable.from(archive(members, options.timeSeconds)),
    createWriteStream(path),
    options.signal ? { signal: options.signal } : {},
  )
