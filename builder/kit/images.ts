import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { hashFile } from '../core/digest.ts'
import { errnoOf } from '../core/error.ts'
import type { Project } from '../core/project.ts'
import type { SourceFile } from './source-file.ts'

/** What is carried of an image, by what follows its name; of the image itself, the first form that is there. */
const imageForms = ['img.xz', 'img.zst', 'img'] as const
const besides = ['img.bmap', 'img.sha256', 'cdx.json', 'spdx.json', 'report.html'] as const

/** Where images are on a stick. */
const imagesFolder = 'images'

const manifestEnding = '.rpi-imager-manifest'

const describe = async (folder: string, name: string, signal: AbortSignal): Promise<SourceFile> => {
  const source = join(folder, name)
  const { size } = await stat(source)
  return {
    path: `${imagesFolder}/${name}`,
    source,
    sizeBytes: size,
    sha256: await hashFile(source, { signal }),
    label: name,
  }
}

const namesIn = async (folder: string): Promise<Set<string>> => {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  return new Set(entries.filter((entry) => entry.isFile()).map(({ name }) => name))
}

/** The image of a profile (`output`, such as `pub`) on a stick, in whatever form; undefined when it has none. */
export const imageOn = async (folder: string, output: string): Promise<string | undefined> => {
  const present = await namesIn(join(folder, imagesFolder))
  const name = imageForms.map((form) => `${output}.${form}`).find((item) => present.has(item))
  return name === undefined ? undefined : join(folder, imagesFolder, name)
}

/** Of a manifest for Raspberry Pi Imager, only what says where files are. */
const imagerSchema = z.looseObject({
  os_list: z.array(z.looseObject({ url: z.string(), bmap_url: z.string().optional() })),
})

/** Give each address of a manifest another form; undefined for a manifest that is none. */
const withAddresses = (text: string, change: (address: string) => string): z.infer<typeof imagerSchema> | undefined => {
  const manifest = imagerSchema.safeParse(JSON.parse(text)).data
  if (!manifest) return undefined
  const entries = manifest.os_list.map((entry) => ({
    ...entry,
    url: change(entry.url),
    ...(entry.bmap_url === undefined ? {} : { bmap_url: change(entry.bmap_url) }),
  }))
  return { ...manifest, os_list: entries }
}

const lastPart = (address: string): string => address.slice(address.lastIndexOf('/') + 1)

/** What is carried of the images that were baked, and the profiles that have none. */
export interface CarriedImages {
  files: SourceFile[]
  /** Manifests for Imager with names in place of addresses: where a stick will be mounted is not known. */
  texts: { path: string; bytes: string }[]
  without: string[]
}

/** What was baked of the profiles (`outputs`, such as `pub`) and lies in `images/`. */
export const findImages = async (
  project: Project,
  outputs: readonly string[],
  signal: AbortSignal,
): Promise<CarriedImages> => {
  const present = await namesIn(project.images)
  const carried: CarriedImages = { files: [], texts: [], without: [] }
  for (const output of outputs) {
    const image = imageForms.map((form) => `${output}.${form}`).find((name) => present.has(name))
    if (image === undefined) {
      carried.without.push(output)
      continue
    }
    const names = [image, ...besides.map((ending) => `${output}.${ending}`).filter((name) => present.has(name))]
    for (const name of names) carried.files.push(await describe(project.images, name, signal))
    if (!present.has(output + manifestEnding)) continue
    const manifest = withAddresses(await readFile(join(project.images, output + manifestEnding), 'utf8'), lastPart)
    // One that is of another form of the image would lead nowhere.
    if (manifest?.os_list.every(({ url }) => names.includes(decodeURIComponent(url)))) {
      carried.texts.push({
        path: `${imagesFolder}/${output}.imager.json`,
        bytes: `${JSON.stringify(manifest, null, 2)}\n`,
      })
    }
  }
  return carried
}

/**
 * One manifest for Raspberry Pi Imager with all images of a stick, at the addresses that they have where it is mounted
 * now; undefined when it has none for Imager.
 */
export const renderImagerManifest = async (folder: string): Promise<string | undefined> => {
  const images = join(folder, imagesFolder)
  const names = [...(await namesIn(images))].filter((name) => name.endsWith('.imager.json')).sort()
  const address = (name: string): string => pathToFileURL(join(images, basename(decodeURIComponent(name)))).href
  const manifests = []
  for (const name of names) {
    const manifest = withAddresses(await readFile(join(images, name), 'utf8'), address)
    if (manifest) manifests.push(manifest)
  }
  const [first] = manifests
  if (!first) return undefined
  return `${JSON.stringify({ ...first, os_list: manifests.flatMap(({ os_list }) => os_list) }, null, 2)}\n`
}
