import { PibakeError } from '../core/error.ts'
import { parseStanzas } from '../deb/deb822.ts'
import type { Tools } from '../host/sandbox.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import { readBaseFile, readBaseStatus } from './status.ts'

/** The Debian release in an os-release(5). */
const codenameIn = (text: string): string | undefined => /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(text)?.[1]

/**
 * Make sure that the stages of a profile can be installed on an image: it is of the profile's architecture and release.
 * Throws `IMAGE_INVALID` naming `label` and the profile.
 */
export const assertFits = async (options: {
  tools: Tools
  path: string
  label: string
  profile: Pick<ResolvedProfile, 'name' | 'suite' | 'architecture'>
  signal: AbortSignal
}): Promise<void> => {
  const { tools, path, label, profile, signal } = options
  const dpkg = [...parseStanzas(await readBaseStatus(tools, path, signal))].find(({ Package }) => Package === 'dpkg')
  if (dpkg?.Architecture === undefined) {
    throw new PibakeError('IMAGE_INVALID', `\`${label}\` holds no Debian: dpkg is not installed on it.`, {
      hint: 'Name an image of Raspberry Pi OS, or another one that is made of Debian packages.',
    })
  }
  if (dpkg.Architecture !== profile.architecture) {
    throw new PibakeError(
      'IMAGE_INVALID',
      `\`${label}\` is an image for ${dpkg.Architecture}; \`${profile.name}\` is baked for ${profile.architecture}.`,
      {
        hint: `Name an image for ${profile.architecture}, or say \`architecture: ${dpkg.Architecture}\` in a profile of your own.`,
      },
    )
  }
  const codename = codenameIn(await readBaseFile(tools, path, '/usr/lib/os-release', signal))
  if (codename === undefined || codename === profile.suite) return
  throw new PibakeError(
    'IMAGE_INVALID',
    `\`${label}\` is ${codename}, but \`${profile.name}\` is baked for ${profile.suite}.`,
    {
      hint: `Say \`suite: ${codename}\` in a profile of your own, or name an image of ${profile.suite}.`,
    },
  )
}
