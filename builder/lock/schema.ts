import { z } from 'zod'
import { isSha256, type Sha256 } from '../core/digest.ts'

const sha256 = z.custom<Sha256>((value) => typeof value === 'string' && isSha256(value), 'must be a SHA-256 in hex')

export { sha256 as sha256Schema }

/** A path below a mirror: relative, without `..`, never an address. */
const poolPath = z
  .string()
  .refine(
    (path) => /^[^\s/:][^\s]*$/.test(path) && !path.includes('//') && !path.split('/').includes('..'),
    'must be a path below the mirror, not an address',
  )

const archiveName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]*$/, 'must be the name of an archive, not an address')
  .describe("`main` and `security` are Debian's; others are named as the base image names their sources")

const sizeBytes = z.int().nonnegative()

const lockedDeb = z.strictObject({
  name: z.string().min(1),
  version: z.string().min(1),
  architecture: z.string().min(1),
  path: poolPath.describe('`Filename:` of the package: its path below the address of its archive'),
  archive: archiveName,
  suite: z.string().min(1).optional().describe("the suite it was taken from, where that is not the profile's"),
  sizeBytes,
  sha256,
})

const lockedNpm = z.strictObject({
  name: z.string().min(1),
  version: z.string().min(1),
  path: z.string().min(1).describe('its place in the tree: node_modules/x/node_modules/y'),
  integrity: z.string().min(1),
  sizeBytes,
  sha256,
})

const lockedArtifact = z.strictObject({ name: z.string().min(1), sha256, sizeBytes })

const lockedIndex = z.strictObject({
  archive: archiveName,
  suite: z.string().min(1),
  date: z.iso.datetime(),
  sha256: sha256.describe('of its InRelease file'),
})

const lockedFile = z.strictObject({ sha256, sizeBytes })

const lockedBase = z.strictObject({
  name: z.string().min(1).describe('as the profile names it'),
  url: z.url().optional().describe('where its archive is; none for a file of the machine'),
  release: z.iso.date().optional(),
  signedBy: z
    .string()
    .regex(/^[0-9A-F]{40,64}$/)
    .optional()
    .describe('fingerprint of the key whose signature of the archive was verified'),
  archive: lockedFile.describe('the file as it is fetched'),
  image: lockedFile.describe('the image in it; the same as the archive when that is not compressed'),
  imager: z
    .strictObject({
      devices: z.array(z.string()).optional().describe('tags of the boards that it is for'),
      initFormat: z.string().optional().describe('how it wants to be told names, users and networks'),
    })
    .optional()
    .describe('what the catalogue tells Raspberry Pi Imager about it'),
})

const debianPart = {
  suite: z.string().min(1),
  architecture: z.string().min(1),
  request: sha256.describe('digest of what was asked for; another digest means that the lock is stale'),
  time: z.iso.datetime().describe('the newest date of the signed indexes'),
  indexes: z.array(lockedIndex),
}

/** Everything a profile needs, exactly: what the file `packages-cache/locks/<profile>.lock.json` holds. */
export const lockSchema = z.strictObject({
  version: z.literal(1),
  profile: z.string().min(1),
  ...debianPart,
  base: lockedBase.optional().describe('the image that the bake starts from'),
  steps: z.array(z.strictObject({ name: z.string().min(1), debs: z.array(lockedDeb) })),
  extras: z.array(lockedDeb).describe('packages that only the mirror on the image carries'),
  npm: z.record(z.string(), z.array(lockedNpm)),
  artifacts: z.record(z.string(), z.array(lockedArtifact)),
})

/** The packages of a tools tree, exactly. */
export const toolsLockSchema = z.strictObject({
  version: z.literal(1),
  ...debianPart,
  first: z.array(z.string()).describe('names of the packages that must be unpacked before the others can be'),
  debs: z.array(lockedDeb),
})

export type LockedDeb = z.infer<typeof lockedDeb>
export type LockedNpm = z.infer<typeof lockedNpm>
export type LockedArtifact = z.infer<typeof lockedArtifact>
export type LockedBase = z.infer<typeof lockedBase>
export type LockedIndex = z.infer<typeof lockedIndex>
export type Lock = z.infer<typeof lockSchema>
export type ToolsLock = z.infer<typeof toolsLockSchema>
/** The part of a lock that is resolved against Debian's archives. */
export type DebianLock = Pick<Lock, 'suite' | 'architecture' | 'request' | 'time' | 'indexes' | 'steps' | 'extras'>
