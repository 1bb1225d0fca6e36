import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Blobs, openBlobs } from '../cache/blobs.ts'
import { dropLayer, listLayers } from '../cache/layers.ts'
import { type Amount, measureCache, pruneCache, verifyCache } from '../cache/upkeep.ts'
import type { Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { runStep } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import { formatBytes } from '../core/size.ts'
import { packagesKey, unpackedKey } from '../image/base.ts'
import { readLock, readToolsLock } from '../lock/file.ts'
import { listProfileNames } from '../profile/profile.ts'
import { targetNames } from '../profile/target.ts'
import { renderTable } from '../report/table.ts'
import { defineCommand, type Result } from './command.ts'
import type { Context } from './context.ts'
import { planOf } from './planned.ts'

/** What the locks of a checkout need of the cache. */
interface Locked {
  /** All that was fetched, with what it is called. */
  labels: ReadonlyMap<Sha256, string>
  /** Keys of what was unpacked from the bases: it takes minutes to do again. */
  unpacked: ReadonlySet<Sha256>
}

const readLocked = async (project: Project): Promise<Locked> => {
  const names = (await readdir(project.locks).catch(() => [])).filter((name) => name.endsWith('.lock.json'))
  const labels = new Map<Sha256, string>()
  const unpacked = new Set<Sha256>()
  for (const name of names) {
    const path = join(project.locks, name)
    const lock = name.startsWith('tools-') ? undefined : await readLock(path)
    const tools = name.startsWith('tools-') ? await readToolsLock(path) : undefined
    if (lock?.base) {
      const { name: base, archive, image } = lock.base
      labels.set(archive.sha256, base)
      unpacked.add(unpackedKey(archive.sha256))
      for (const architecture of ['arm64', 'armhf'] as const) unpacked.add(packagesKey(image.sha256, architecture))
    }
    const debs = [...(tools?.debs ?? []), ...(lock?.steps.flatMap((step) => step.debs) ?? []), ...(lock?.extras ?? [])]
    for (const { name, version, sha256 } of debs) labels.set(sha256, `${name} ${version}`)
    for (const { name, version, sha256 } of Object.values(lock?.npm ?? {}).flat()) {
      labels.set(sha256, `${name}@${version}`)
    }
    for (const { name, sha256 } of Object.values(lock?.artifacts ?? {}).flat()) labels.set(sha256, name)
  }
  return { labels, unpacked }
}

const notPlannable = new Set(['LOCK_STALE', 'LOCK_INVALID', 'MISSING_OFFLINE', 'CONFIG_INVALID', 'IMAGE_INVALID'])

/** Keys of the layers that a bake of any profile, for any target that it is locked for, would use as things stand. */
const wantedLayers = async (context: Context): Promise<Set<Sha256>> => {
  const keys = new Set<Sha256>()
  const names = await listProfileNames(context.project)
  for (const wanted of names.flatMap((name) => targetNames.map((target) => ({ name, target })))) {
    try {
      for (const { key } of (await planOf(context, wanted)).steps) keys.add(key)
    } catch (error) {
      if (!(error instanceof PibakeError) || !notPlannable.has(error.code)) throw error
    }
  }
  return keys
}

const show = async ({ project }: Context): Promise<Result> => {
  const amounts = await measureCache(project.cache)
  const rows = Object.entries(amounts).map(([name, { files, sizeBytes }]) => [
    name,
    `${files} files`,
    formatBytes(sizeBytes),
  ])
  return { data: amounts, lines: () => (rows.length === 0 ? ['The cache is empty.'] : renderTable(rows)) }
}

const verify = async (blobs: Blobs, { project, emit, signal }: Context): Promise<Result> => {
  const { labels } = await readLocked(project)
  const verdict = await runStep(emit, { id: 'verify', title: 'Read everything in the cache' }, () =>
    verifyCache(blobs, { labels, emit, stepId: 'verify', signal }),
  )
  const { checked, corrupt } = verdict
  const failure = new PibakeError(
    'CACHE_CORRUPT',
    `${corrupt.length} of ${checked.files} items in the cache are damaged.`,
    {
      hint: 'They were moved aside; `pibake fetch` brings them again.',
      details: corrupt.map(({ label, sha256 }) => `${label} (${sha256})`),
    },
  )
  return {
    data: verdict,
    lines: () =>
      corrupt.length > 0 ? [] : [`All ${checked.files} items are whole (${formatBytes(checked.sizeBytes)}).`],
    ...(corrupt.length > 0 ? { failure } : {}),
  }
}

const prune = async (blobs: Blobs, context: Context, dryRun: boolean): Promise<Result> => {
  const { project } = context
  const wanted = await wantedLayers(context)
  const unwanted = (await listLayers(project.cache)).filter((key) => !wanted.has(key))
  const { labels, unpacked } = await readLocked(project)
  const keep = { blobs: new Set(labels.keys()), derived: unpacked }
  const freed: Amount = await pruneCache(blobs, keep, { dryRun })
  if (!dryRun) for (const key of unwanted) await dropLayer(project.cache, key)
  const verb = dryRun ? 'Would free' : 'Freed'
  return {
    data: { ...freed, layers: unwanted.length, dryRun },
    lines: () => [`${verb} ${formatBytes(freed.sizeBytes)} in ${freed.files} files, and ${unwanted.length} layers.`],
  }
}

export const cache = defineCommand({
  options: {
    'dry-run': { type: 'boolean', default: false, describe: 'With prune: say what would go, and leave it' },
  },
  positionals: {
    action: {
      choices: ['show', 'verify', 'prune'] as const,
      default: 'show' as const,
      describe: 'Sizes; read everything and set aside what is damaged; drop what no lock and no profile needs',
    },
  },
  examples: [
    ['$0 cache', 'What it holds'],
    ['$0 cache verify', 'Read all of it, and name what is damaged'],
    ['$0 cache prune --dry-run', 'How much could be freed'],
  ],
  async run({ action, 'dry-run': dryRun }, context) {
    const blobs = openBlobs(context.project.cache)
    if (action === 'verify') return verify(blobs, context)
    return action === 'prune' ? prune(blobs, context, dryRun) : show(context)
  },
})
