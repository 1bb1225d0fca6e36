import { findMirrors, type Mirrors } from '../../builder/fetch/mirror.ts'
import { answers } from '../../builder/fetch/text.ts'

/** The Debian mirror that this machine is set to use, or why tests that need one cannot run. */
export const realMirror = async (suite: string): Promise<{ mirrors: Mirrors } | { reason: string }> => {
  try {
    const mirrors = await findMirrors({ suite, answers })
    const isThere = await answers(`${mirrors.main}/dists/${suite}/InRelease`)
    return isThere ? { mirrors } : { reason: `no Debian mirror answers at ${mirrors.main}` }
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) }
  }
}
