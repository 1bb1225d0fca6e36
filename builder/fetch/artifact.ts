import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { BlobInfo } from '../cache/blobs.ts'
import { asSha256, hashFile, isSha256, type Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import { type DownloadOptions, downloadAll } from './download.ts'

/** A file made by others, as a stage declares it. */
export interface DeclaredArtifact {
  name: string
  sha256?: string | undefined
  url?: string | undefined
  /** A file of that name in the stage's folder, or dropped under `artifacts/` of the cache. */
  file?: string | undefined
}

/** A stage, as far as its artifacts are concerned. */
export interface ArtifactStage {
  name: string
  /** Absolute path of `stages/<name>`. */
  folder: string
  artifacts: readonly DeclaredArtifact[]
}

/** What the lock says of an artifact. */
export interface LockedArtifact extends BlobInfo {
  name: string
}

interface Wanted {
  stage: string
  name: string
  label: string
  url: string | undefined
  /** Where the file may lie; the first that is there counts. */
  candidates: string[]
  pin: string | undefined
}

/**
 * Bring the artifacts of all stages into the store, from a dropped file where there is one, else from their address.
 * Throws `ARTIFACT_UNPINNED` before anything is fetched, naming every artifact without a sha256; `DOWNLOAD_CORRUPT` for
 * one that has another; `MISSING_OFFLINE` for a file that is not there; and as `downloadAll`.
 */
export const fetchArtifacts = async (
  stages: readonly ArtifactStage[],
  options: DownloadOptions,
): Promise<Record<string, LockedArtifact[]>> => {
  const { blobs, signal } = options
  const wanted = stages.flatMap((stage) => stage.artifacts.map((artifact) => describe(stage, artifact, blobs.folder)))
  await refuseUnpinned(wanted)
  const found = new Map<Wanted, BlobInfo>()
  const downloads: { label: string; urls: string[]; sha256: Sha256; wanted: Wanted }[] = []
  for (const item of wanted) {
    const sha256 = asSha256(item.pin ?? '')
    const sizeBytes = await blobs.blobSize(sha256)
    const dropped = await firstFile(item.candidates)
    if (sizeBytes !== undefined) found.set(item, { sha256, sizeBytes })
    else if (dropped !== undefined) found.set(item, await importDropped(item, dropped, sha256, options))
    else if (item.url !== undefined) downloads.push({ label: item.label, urls: [item.url], sha256, wanted: item })
    else throw absentFile(item)
    if (signal?.aborted) break
  }
  const { done, missing } = await downloadAll(downloads, options)
  if (missing.length > 0) throw goneError(missing.map(({ label }) => label))
  for (const { item, sha256, sizeBytes } of done) found.set(item.wanted, { sha256, sizeBytes })
  return Object.fromEntries(
    stages.map(({ name: stage }) => [
      stage,
      [...found].filter(([item]) => item.stage === stage).map(([{ name }, info]) => ({ name, ...info })),
    ]),
  )
}

const describe = (stage: ArtifactStage, artifact: DeclaredArtifact, cacheFolder: string): Wanted => ({
  stage: stage.name,
  name: artifact.name,
  label: `${stage.name}: ${artifact.name}`,
  url: artifact.url,
  candidates:
    artifact.file === undefined
      ? []
      : [join(stage.folder, artifact.file), join(cacheFolder, 'artifacts', basename(artifact.file))],
  pin: artifact.sha256,
})

const firstFile = async (paths: readonly string[]): Promise<string | undefined> => {
  for (const path of paths) {
    try {
      if ((await stat(path)).isFile()) return path
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error
    }
  }
  return undefined
}

const refuseUnpinned = async (wanted: readonly Wanted[]): Promise<void> => {
  const unpinned = wanted.filter(({ pin }) => pin === undefined || !isSha256(pin))
  const [first] = unpinned
  if (first === undefined) return
  const dropped = await firstFile(first.candidates)
  const sentence =
    unpinned.length === 1
      ? `The artifact \`${first.name}\` of stage \`${first.stage}\` has no sha256.`
      : `${unpinned.length} artifacts have no sha256.`
  throw new PibakeError('ARTIFACT_UNPINNED', sentence, {
    hint: dropped
      ? `If you trust \`${dropped}\`, pin: \`sha256: ${await hashFile(dropped)}\`.`
      : 'Pin `sha256:` to what its maker publishes; pibake does not take a file whose content nobody has vouched for.',
    details: unpinned.map(({ label }) => label),
  })
}

const importDropped = async (
  { name, stage }: Wanted,
  path: string,
  sha256: Sha256,
  { blobs, signal }: DownloadOptions,
): Promise<BlobInfo> => {
  const found = await hashFile(path, signal ? { signal } : {})
  if (found === sha256) return blobs.importFile(path, sha256, signal)
  throw new PibakeError(
    'DOWNLOAD_CORRUPT',
    `\`${path}\` is not the artifact \`${name}\` that stage \`${stage}\` pins: its sha256 is ${found}, not ${sha256}.`,
    { hint: `Put the right file there; or, if you trust this one, pin: \`sha256: ${found}\`.` },
  )
}

const absentFile = ({ name, stage, candidates }: Wanted): PibakeError =>
  new PibakeError('MISSING_OFFLINE', `The file of artifact \`${name}\` of stage \`${stage}\` is not there.`, {
    hint: `Put it at \`${candidates.join('` or `')}\`.`,
  })

const goneError = (labels: readonly string[]): PibakeError =>
  new PibakeError(
    'NETWORK',
    `${labels.map((label) => `\`${label}\``).join(', ')}: the address answers \`not found\`.`,
    {
      hint: 'Correct `url:` in the stage, or download the file by other means and name it in `file:`.',
      details: labels,
    },
  )
