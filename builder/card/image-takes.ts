import { PibakeError } from '../core/error.ts'
import { readText } from '../inspect/content.ts'
import { readImageTree } from '../inspect/image-tree.ts'
import { readStages } from '../inspect/stages.ts'
import type { Volume } from '../inspect/volume.ts'

/** What of a card's own settings an image carries out at its first boot. */
export interface ImageTakes {
  /** Names of its stages. */
  stages: ReadonlySet<string>
  /** Settings by stage, and what the image has them set to. */
  settings: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Whether settings can be changed for one card. */
  takesSettings: boolean
  /** Whether a user can be made at the first boot, and a Wi-Fi network be joined. */
  hasUsers: boolean
  /** Names in its `/etc/passwd`. */
  accounts: ReadonlySet<string>
}

/** Values of a file in /etc/pibake, as `renderSettings` of builder/deb/stage-control.ts quotes them; keys as in YAML. */
export const parseSettings = (text: string): Map<string, string> =>
  new Map(
    [...text.matchAll(/^([A-Z][A-Z0-9_]*)=(?:'([^']*)'|"((?:[^"\\]|\\.)*)")$/gm)].map(
      ([, key = '', plain, escaped]) => [
        key.toLowerCase().replaceAll('_', '-'),
        plain ?? (escaped ?? '').replaceAll(/\\(.)/g, '$1'),
      ],
    ),
  )

const accountsOf = (volume: Volume): Set<string> =>
  new Set([...(readText(volume, '/etc/passwd') ?? '').matchAll(/^[^:\n]+/gm)].map(([name]) => name))

/**
 * Look into an image for what it carries out for one card alone. Throws IMAGE_INVALID for what is no image, or has no
 * stage that would.
 */
export const readTakes = async (path: string, label: string): Promise<ImageTakes> => {
  await using tree = await readImageTree(path)
  for (const { volume } of tree.partitions) {
    if (volume?.kind !== 'ext4') continue
    const stages = new Set(readStages(volume).map(({ name }) => name))
    if (!stages.has('first-boot')) continue
    const settings = [...stages].map((name) => {
      return [name, parseSettings(readText(volume, `/etc/pibake/${name}.conf`) ?? '')] as const
    })
    return {
      stages,
      settings: new Map(settings),
      takesSettings: volume.entries.has('/usr/lib/pibake/first-boot/take-settings'),
      hasUsers: volume.entries.has('/usr/lib/pibake/imager/card'),
      accounts: accountsOf(volume),
    }
  }
  throw new PibakeError('IMAGE_INVALID', `\`${label}\` takes no settings of a card.`, {
    hint: 'Name an image that pibake baked from a profile with the stage `first-boot`, or leave out `--roster` and `--labels`.',
  })
}
