import { z } from 'zod'
import type { Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { nearest } from '../core/text.ts'
import { type LockedBase, sha256Schema } from '../lock/schema.ts'
import { catalogueVariable, raspberryPi } from './publisher.ts'
import { fetchText } from './text.ts'

/** An image that a catalogue offers. Sizes in bytes. */
export interface CatalogueImage {
  /** What `--base` calls it: `raspios-lite-arm64`. */
  name: string
  title: string
  url: string
  /** `YYYY-MM-DD`. */
  release: string | undefined
  archiveBytes: number | undefined
  archiveSha256: Sha256 | undefined
  imageBytes: number | undefined
  imageSha256: Sha256 | undefined
  imager: ImagerFacts
}

/** What Raspberry Pi Imager has to know of an image, as its list says. */
type ImagerFacts = NonNullable<LockedBase['imager']>

/** An entry as the Imager's schema has it (rpi-imager, doc/json-schema/os-list-schema.json), as far as it is used here. */
const entrySchema = z.object({
  name: z.string(),
  url: z.url({ protocol: /^https?$/ }),
  release_date: z.iso.date().optional().catch(undefined),
  image_download_size: z.int().positive().optional().catch(undefined),
  image_download_sha256: sha256Schema.optional(),
  extract_size: z.int().positive().optional().catch(undefined),
  extract_sha256: sha256Schema.optional(),
  devices: z.array(z.string()).optional().catch(undefined),
  init_format: z.string().optional().catch(undefined),
})

const groupSchema = z.object({ subitems: z.array(z.unknown()) })
const remoteGroupSchema = z.object({ subitems_url: z.url({ protocol: /^https?$/ }) })
const listSchema = z.object({ os_list: z.array(z.unknown()) })

/** How deep groups may lie in groups. */
const deepest = 5

const slugOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')

/**
 * The name of an image. Raspberry Pi's own lie in a folder of their kind (`raspios_lite_arm64/images/…`), which stays the
 * same from release to release; others are called by their title.
 */
const nameOf = (title: string, url: string): string => {
  const folder = /\/(raspios[a-z0-9_]*)\/images\//.exec(new URL(url).pathname)?.[1]
  return slugOf(folder ?? title)
}

const toImage = (entry: z.infer<typeof entrySchema>): CatalogueImage => ({
  name: nameOf(entry.name, entry.url),
  title: entry.name,
  url: entry.url,
  release: entry.release_date,
  archiveBytes: entry.image_download_size,
  archiveSha256: entry.image_download_sha256,
  imageBytes: entry.extract_size,
  imageSha256: entry.extract_sha256,
  imager: {
    ...(entry.devices === undefined ? {} : { devices: entry.devices.toSorted() }),
    ...(entry.init_format === undefined ? {} : { initFormat: entry.init_format }),
  },
})

const unreadable = (url: string, cause?: unknown): PibakeError =>
  new PibakeError('NETWORK', `\`${url}\` is no catalogue of images.`, {
    hint: `It has to be a list in the format of Raspberry Pi Imager; ${catalogueVariable} names another one.`,
    ...(cause === undefined ? {} : { cause }),
  })

/**
 * Read a list of the Imager's format with its groups; `read` fetches a file, undefined when there is none. Groups that
 * lie on another server than the list, and entries that are no images, are left out. Throws `NETWORK`.
 */
export const readCatalogue = async (
  url: string,
  read: (url: string) => Promise<string | undefined>,
): Promise<CatalogueImage[]> => {
  const images: CatalogueImage[] = []
  const readList = async (address: string, depth: number): Promise<void> => {
    const text = await read(address)
    if (text === undefined) throw unreadable(address)
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (cause) {
      throw unreadable(address, cause)
    }
    const list = listSchema.safeParse(value)
    if (!list.success) throw unreadable(address)
    await visit(list.data.os_list, depth)
  }
  const visit = async (entries: readonly unknown[], depth: number): Promise<void> => {
    if (depth > deepest) return
    for (const entry of entries) {
      const image = entrySchema.safeParse(entry)
      const group = groupSchema.safeParse(entry)
      const remote = remoteGroupSchema.safeParse(entry)
      if (image.success) images.push(toImage(image.data))
      else if (group.success) await visit(group.data.subitems, depth + 1)
      else if (remote.success && new URL(remote.data.subitems_url).origin === new URL(url).origin) {
        await readList(remote.data.subitems_url, depth + 1)
      }
    }
  }
  await readList(url, 0)
  return images
}

const newestFirst = (a: CatalogueImage, b: CatalogueImage): number => ((a.release ?? '') < (b.release ?? '') ? 1 : -1)

/**
 * The image of a name, the newest, or the one of a date: `raspios-lite-arm64@2025-05-13`. Throws `UNKNOWN_NAME` with what
 * was probably meant.
 */
export const findImage = (images: readonly CatalogueImage[], named: string): CatalogueImage => {
  const [name = '', release] = named.split('@')
  const releases = images.filter((image) => image.name === name).sort(newestFirst)
  const found = release === undefined ? releases[0] : releases.find((image) => image.release === release)
  if (found) return found
  if (releases.length > 0) {
    throw new PibakeError('UNKNOWN_NAME', `The catalogue has no \`${name}\` of ${release}.`, {
      hint: 'Name the address of its file in place of the name: older images stay where they were published.',
      details: releases.map((image) => `${image.name}@${image.release ?? '?'}`),
    })
  }
  const meant = nearest(
    name,
    images.map((image) => image.name),
  )
  throw new PibakeError('UNKNOWN_NAME', `The catalogue has no image \`${name}\`.`, {
    hint: meant === undefined ? '`pibake bases` lists what it has.' : `Did you mean \`${meant}\`?`,
  })
}

/** Fetch the catalogue that is set, or the publisher's. Throws `NETWORK`. */
export const fetchCatalogue = (
  options: { env?: Readonly<Record<string, string | undefined>>; signal?: AbortSignal } = {},
): Promise<CatalogueImage[]> => {
  const { env = process.env, signal } = options
  const set = env[catalogueVariable]
  const url = set === undefined || set === '' ? raspberryPi.catalogue : set
  if (!URL.canParse(url)) throw unreadable(url)
  return readCatalogue(url, (address) =>
    fetchText(address, signal ? { signal } : {}).catch((error: unknown) => {
      if (!(error instanceof PibakeError)) throw error
      throw new PibakeError(error.code, error.message, {
        hint: `Check the network, or name another catalogue in ${catalogueVariable}, or an image by its address or file.`,
        cause: error,
      })
    }),
  )
}
