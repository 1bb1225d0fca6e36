import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Emit } from '../core/event.ts'
import { defaultKeyPath, openSigningKey, type SigningKey } from '../deb/signing-key.ts'
import { showFingerprint } from '../kit/key.ts'

/** The option that names the key which signs lists of packages. */
export const keyOption = {
  key: {
    type: 'string',
    describe: 'File with the key that signs package lists; made when missing. In your configuration folder if not said',
  },
} as const

/** The key that was named, or the user's own; says so when it had to be made. Throws `CONFIG_INVALID`. */
export const openKey = async (path: string | undefined, emit: Emit): Promise<SigningKey> => {
  const owner = `pibake of ${hostname()}`
  const key = await openSigningKey(path === undefined ? defaultKeyPath() : resolve(path), { owner })
  if (key.isNew) {
    const made = `A key to sign with was made: \`${key.path}\`. Keep a copy in a safe place, and show it to nobody.`
    const message = `${made} Others know it by its fingerprint: ${showFingerprint(key.fingerprint)}`
    emit({ type: 'notice', level: 'info', message })
  }
  return key
}
