import { pathToFileURL } from 'node:url'
import type { Sha256 } from '../core/digest.ts'
import type { Lock } from '../lock/schema.ts'
import type { ResolvedProfile } from '../profile/schema.ts'

/** A file as the manifest names it. */
export interface ManifestFile {
  /** Absolute path. */
  path: string
  sizeBytes: number
  sha256: Sha256
}

export interface ManifestOptions {
  profile: ResolvedProfile
  lock: Lock
  image: ManifestFile
  /** What Imager is to read: an archive of the image, or the image itself. */
  source: ManifestFile
  bmapPath: string
}

/** Boards by the tags that Imager's own list uses. Shown as they are: Imager offers only what its manifest lists. */
const boards = [
  { name: 'Raspberry Pi 5', description: 'Models B, 500, Compute Module 5', tags: ['pi5-64bit'] },
  { name: 'Raspberry Pi 4', description: 'Models B, 400, Compute Module 4', tags: ['pi4-64bit'] },
  { name: 'Raspberry Pi 3', description: 'Models A+, B, B+, Compute Module 3', tags: ['pi3-64bit'] },
  { name: 'Raspberry Pi Zero 2 W', description: 'Has the processor of the Raspberry Pi 3', tags: ['pi3-64bit'] },
]

/** What Debian's arm64 kernel and `raspi-firmware` boot. */
const debianTags = ['pi3-64bit', 'pi4-64bit']

/** An icon that comes with Imager, so that none has to be downloaded. */
const icon = 'icons/use_custom.png'

/** The stage that carries out what Imager writes to the boot partition in its format `systemd`. */
const customisationStage = 'imager'

/**
 * A manifest with one image that Raspberry Pi Imager opens by a double click (doc/json-schema/os-list-schema.json of
 * rpi-imager). It takes absolute `file:` addresses only, so that it holds where it was written. For which boards the image
 * is, and what it does with Imager's customisation (`init_format`), is said as of its base, where that came from a list of
 * Imager's; otherwise the stage `imager` carries it out, or nothing does.
 */
export const renderManifest = ({ profile, lock, image, source, bmapPath }: ManifestOptions): string => {
  const isCustomisable = profile.stages.some(({ stage }) => stage.name === customisationStage)
  const { devices: tags = debianTags, initFormat = isCustomisable ? 'systemd' : 'none' } = lock.base?.imager ?? {}
  const address = (path: string): string => pathToFileURL(path).href
  const manifest = {
    imager: {
      devices: boards
        .filter((board) => board.tags.some((tag) => tags.includes(tag)))
        .map((board) => ({ ...board, icon, matching_type: 'exclusive', architecture: 'armv8' })),
    },
    os_list: [
      {
        name: `pibake ${profile.name}`,
        description: profile.summary,
        icon,
        url: address(source.path),
        extract_size: image.sizeBytes,
        extract_sha256: image.sha256,
        image_download_size: source.sizeBytes,
        image_download_sha256: source.sha256,
        bmap_url: address(bmapPath),
        release_date: lock.time.slice(0, 10),
        init_format: initFormat,
        devices: tags,
        architecture: 'armv8',
        ...(isCustomisable ? { capabilities: ['passwordless_sudo'] } : {}),
      },
    ],
  }
  return `${JSON.stringify(manifest, null, 2)}\n`
}
