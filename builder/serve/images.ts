import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSha256, type Sha256 } from '../core/digest.ts'
import { errnoOf } from '../core/error.ts'
import type { Project } from '../core/project.ts'
import { fileContent } from './file.ts'
import { type ImagerEntry, type ImagerManifest, parseManifest, renderImagerList } from './imager.ts'
import { type FileContent, type Offer, reportPolicy, typeOf } from './offer.ts'

/** A file of an image that can be fetched. */
export interface SharedFile {
  name: string
  path: string
  sizeBytes: number
  sha256: Sha256 | undefined
}

/** An image with what lies beside it. */
export interface SharedImage {
  /** `pub` for `pub.img`. */
  stem: string
  /** What Raspberry Pi Imager is told of it; undefined for an image that is not for a Pi. */
  imager: ImagerEntry | undefined
  /** The image in its forms, the smallest first. */
  forms: SharedFile[]
  report: string | undefined
  /** Checksums, block map, bills of materials. */
  besides: SharedFile[]
}

export interface ImageShare {
  offers: [path: string, offer: Offer][]
  images: SharedImage[]
}

/** The files that a bake leaves; nothing else of the folder is offered. */
const knownName =
  /^(?<stem>[A-Za-z0-9][A-Za-z0-9._-]*?)\.(?:(?<form>img|img\.xz|img\.zst|qcow2)|(?<report>report\.html)|(?<manifest>rpi-imager-manifest)|(?<beside>img\.bmap|img\.sha256|cdx\.json|spdx\.json))$/

type Kind = 'form' | 'report' | 'manifest' | 'beside'

interface Found {
  name: string
  stem: string
  kind: Kind
  content: FileContent
}

const kinds: readonly Kind[] = ['form', 'report', 'manifest', 'beside']

const findFiles = async (folder: string): Promise<Found[]> => {
  const names = await readdir(folder).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  const found: Found[] = []
  for (const name of names.sort()) {
    const groups = knownName.exec(name)?.groups
    const kind = kinds.find((candidate) => groups?.[candidate] !== undefined)
    const content = groups && kind ? await fileContent(join(folder, name)) : undefined
    if (groups?.stem !== undefined && kind && content) found.push({ name, stem: groups.stem, kind, content })
  }
  return found
}

/** The checksums of the files beside an image, as sha256sum(1) writes them, as far as they are younger than the files. */
const readChecksums = async (files: readonly Found[]): Promise<Map<string, Sha256>> => {
  const byName = new Map(files.map((file) => [file.name, file]))
  const sums = new Map<string, Sha256>()
  for (const { name, content } of files.filter((file) => file.name.endsWith('.sha256'))) {
    for (const line of (await readFile(content.path, 'utf8')).split('\n')) {
      const [, sha256 = '', target = ''] = /^([0-9a-f]{64}) [ *](\S+)$/.exec(line) ?? []
      const file = byName.get(target)
      if (isSha256(sha256) && file && file.content.modifiedMs <= content.modifiedMs && target !== name) {
        sums.set(target, sha256)
      }
    }
  }
  return sums
}

const pathOf = (name: string): string => `/images/${name}`

/** The finished images of a checkout, and a list of them for Raspberry Pi Imager with addresses that hold for who asks. */
export const shareImages = async ({ images: folder }: Pick<Project, 'images'>): Promise<ImageShare> => {
  const files = await findFiles(folder)
  const sums = await readChecksums(files)
  const shared = ({ name, content }: Found): SharedFile => ({
    name,
    path: pathOf(name),
    sizeBytes: content.sizeBytes,
    sha256: sums.get(name),
  })
  const names = new Set(files.map(({ name }) => name))
  const images: SharedImage[] = []
  const manifests: ImagerManifest[] = []
  for (const [stem, group] of Map.groupBy(files, (file) => file.stem)) {
    const forms = group.filter(({ kind }) => kind === 'form').map(shared)
    if (forms.length === 0) continue
    const manifestFile = group.find(({ kind }) => kind === 'manifest')
    const text = manifestFile && (await readFile(manifestFile.content.path, 'utf8'))
    const manifest = text === undefined ? undefined : parseManifest(text, names)
    if (manifest) manifests.push(manifest)
    const report = group.find(({ kind }) => kind === 'report')
    images.push({
      stem,
      imager: manifest?.entries[0],
      forms: forms.sort((a, b) => a.sizeBytes - b.sizeBytes),
      report: report && pathOf(report.name),
      besides: group.filter(({ kind }) => kind === 'beside').map(shared),
    })
  }
  const offers = files
    // The manifest of the folder holds for this machine only.
    .filter(({ kind }) => kind !== 'manifest')
    .map(({ name, kind, content }): [string, Offer] => [
      pathOf(name),
      {
        content: { ...content, sha256: sums.get(name) },
        group: 'images',
        type: typeOf(name),
        ...(kind === 'report' ? { policy: reportPolicy } : {}),
      },
    ])
  const list: Offer = {
    content: { kind: 'text', render: (host) => renderImagerList(manifests, (name) => `http://${host}${pathOf(name)}`) },
    group: 'images',
    type: 'application/json',
  }
  const lists: [string, Offer][] =
    manifests.length === 0
      ? []
      : [
          ['/imager.json', list],
          // Opens in Imager by a double click.
          ['/pibake.rpi-imager-manifest', { ...list, type: 'application/octet-stream' }],
        ]
  return { offers: [...offers, ...lists], images }
}
