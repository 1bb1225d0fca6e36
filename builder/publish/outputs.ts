import { basename } from 'node:path'
import { hashBytes, hashJson, type Sha256 } from '../core/digest.ts'
import type { Emit } from '../core/event.ts'
import { type Project, readVersion } from '../core/project.ts'
import { replaceFile } from '../host/replace.ts'
import type { Tools } from '../host/sandbox.ts'
import { formatLock } from '../lock/file.ts'
import type { Lock } from '../lock/schema.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import { targets } from '../profile/target.ts'
import { readBill } from './bill.ts'
import type { Bill } from './components.ts'
import { type Compression, compressImage, compressions } from './compress.ts'
import { renderCycloneDx } from './cyclonedx.ts'
import { writeQcow2 } from './qcow2.ts'
import { renderSpdx } from './spdx.ts'

/** What is to be handed on. */
export interface PublishRequest {
  project: Project
  profile: ResolvedProfile
  lock: Lock
  /** The finished image. */
  image: { path: string; sha256: Sha256 }
  /** Compressed forms that are wanted. */
  compress: readonly Compression[]
}

/** A file beside an image. */
export interface Output {
  name: string
  /** Stands for all that it depends on. */
  key: Sha256
  title: string
  /** Whether it is asked for; what is not is kept where it is there. */
  wanted: boolean
  /** Write it to `path`, whole or not at all. */
  make: (options: MakeOptions) => Promise<{ sizeBytes: number; sha256: Sha256 }>
}

interface MakeOptions {
  tools: Tools
  path: string
  stepId: string
  emit: Emit
  signal: AbortSignal
}

/** What the names of all files beside an image begin with: `pub` for `images/pub.img`. */
export const stemOf = ({ image }: PublishRequest): string => basename(image.path, '.img')

/** Go up when the same content is written in another way. */
const formats = { archive: 1, bill: 2, qcow2: 1 } as const

const archiveOf = ({ image, compress }: PublishRequest, compression: Compression): Output => {
  const name = `${basename(image.path)}.${compression}`
  return {
    name,
    key: hashJson(['archive', formats.archive, compression, image.sha256]),
    title: `Compress: images/${name}`,
    wanted: compress.includes(compression),
    make: ({ path, ...options }) => compressImage({ ...options, image: image.path, compression, destination: path }),
  }
}

/** The form of an image that virtual machines take. */
const qcow2Of = (request: PublishRequest): Output => {
  const { image } = request
  const name = `${stemOf(request)}.qcow2`
  return {
    name,
    key: hashJson(['qcow2', formats.qcow2, image.sha256]),
    title: `Virtual disk: images/${name}`,
    wanted: true,
    make: ({ path, ...options }) => writeQcow2({ ...options, image: image.path, destination: path }),
  }
}

/** The forms of a bill of materials, by the ending that its readers know it by. */
const billForms = [
  { ending: 'cdx.json', title: 'CycloneDX', render: renderCycloneDx },
  { ending: 'spdx.json', title: 'SPDX', render: renderSpdx },
] as const

const billsOf = async (request: PublishRequest): Promise<Output[]> => {
  const { project, profile, lock, image } = request
  const pibake = await readVersion(project)
  let bill: Promise<Bill> | undefined
  return billForms.map(({ ending, title, render }) => ({
    name: `${stemOf(request)}.${ending}`,
    // The image's digest stands for the stages and the base image.
    key: hashJson(['bill', formats.bill, ending, pibake, profile.summary, hashBytes(formatLock(lock)), image.sha256]),
    title: `Bill of materials: ${title}`,
    wanted: true,
    make: async ({ path, tools, signal }) => {
      bill ??= readBill({ project, profile, lock, pibake, tools, signal })
      const text = render(await bill)
      await replaceFile(path, text)
      return { sizeBytes: Buffer.byteLength(text), sha256: hashBytes(text) }
    },
  }))
}

/** All that can be beside the image with a record of its own. */
export const outputsOf = async (request: PublishRequest): Promise<Output[]> => [
  ...(targets[request.profile.target].firmware === 'uefi' ? [qcow2Of(request)] : []),
  ...(await billsOf(request)),
  ...compressions.map((compression) => archiveOf(request, compression)),
]
