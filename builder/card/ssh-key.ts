/** Types of public keys that OpenSSH takes (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"). */
const types: ReadonlySet<string> = new Set([
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
])

/** The strings in the blob of a key, each behind its length (RFC 4251, section 5); undefined where it is cut off. */
const readStrings = (blob: Buffer): Buffer[] | undefined => {
  const strings: Buffer[] = []
  for (let at = 0; at < blob.length; ) {
    if (at + 4 > blob.length) return undefined
    const end = at + 4 + blob.readUInt32BE(at)
    if (end > blob.length) return undefined
    strings.push(blob.subarray(at + 4, end))
    at = end
  }
  return strings
}

/**
 * Cut text into keys, each of its words that names a type beginning one: the way the stage `ssh` reads a list of them.
 * Returns nothing that the text does not say; what stands before the first type is a key of its own.
 */
export const splitKeys = (text: string): string[] => {
  const keys: string[] = []
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    if (keys.length === 0 || /^(?:ssh-|ecdsa-|sk-)/.test(word)) keys.push(word)
    else keys.push(`${keys.pop()} ${word}`)
  }
  return keys
}

/** What is wrong with a line of `authorized_keys` without options, as the end of a sentence; undefined for a good one. */
export const sshKeyFault = (key: string): string | undefined => {
  if (key.includes('PRIVATE KEY')) return 'is a private key: give the one in the file that ends in `.pub`'
  const [type = '', encoded = ''] = key.split(' ')
  if (!types.has(type)) return `does not begin with the type of a key, such as \`ssh-ed25519\``
  const blob = Buffer.from(encoded, 'base64')
  const isWhole = blob.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '')
  const strings = isWhole ? readStrings(blob) : undefined
  if (!strings || strings.length < 2) return 'is cut off or changed'
  if (strings[0]?.toString('latin1') !== type) return `says \`${type}\` and is another type`
  return undefined
}
