import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const entrySchema = z.looseObject({
  name: z.string(),
  description: z.string(),
  url: z.string(),
  bmap_url: z.string().optional(),
  devices: z.array(z.string()).optional(),
})

const manifestSchema = z.object({
  imager: z.object({ devices: z.array(z.looseObject({ name: z.string() })) }),
  os_list: z.array(entrySchema),
})

/** An image as a manifest for Raspberry Pi Imager describes it; `url` and `bmap_url` are names of files. */
export type ImagerEntry = z.infer<typeof entrySchema>

/** What a manifest that lies beside an image says. */
export interface ImagerManifest {
  devices: { name: string }[]
  entries: ImagerEntry[]
}

const nameIn = (address: string | undefined): string | undefined => {
  try {
    return address === undefined ? undefined : basename(fileURLToPath(address))
  } catch {
    return undefined
  }
}

/**
 * Read a manifest that pibake has written beside an image, of which only those images count whose files are among
 * `names`; undefined when it cannot be read or nothing is left of it.
 */
export const parseManifest = (text: string, names: ReadonlySet<string>): ImagerManifest | undefined => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const { data } = manifestSchema.safeParse(value)
  const entries = (data?.os_list ?? []).flatMap(({ bmap_url: bmapUrl, ...entry }) => {
    const url = nameIn(entry.url)
    const map = nameIn(bmapUrl)
    if (url === undefined || !names.has(url)) return []
    return [{ ...entry, url, ...(map !== undefined && names.has(map) ? { bmap_url: map } : {}) }]
  })
  return data && entries.length > 0 ? { devices: data.imager.devices, entries } : undefined
}

/**
 * All manifests as one list that Raspberry Pi Imager takes as its repository (doc/json-schema/os-list-schema.json of
 * rpi-imager), with an address for each file.
 */
export const renderImagerList = (manifests: readonly ImagerManifest[], addressOf: (name: string) => string): string => {
  const devices = new Map(manifests.flatMap((manifest) => manifest.devices.map((device) => [device.name, device])))
  const list = manifests
    .flatMap(({ entries }) => entries)
    .map(({ url, bmap_url: map, ...entry }) => ({
      ...entry,
      url: addressOf(url),
      ...(map === undefined ? {} : { bmap_url: addressOf(map) }),
    }))
  return `${JSON.stringify({ imager: { devices: [...devices.values()] }, os_list: list }, null, 2)}\n`
}
