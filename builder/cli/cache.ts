import { resolve } from 'node:path'
import { exportCache } from '../bundle/cache-export.ts'
import { importCache } from '../bundle/cache-import.ts'
import { itemsOf } from '../bundle/cache-items.ts'
import { type Blobs, openBlobs } from '../cache/blobs.ts'
import { dropLayer, listLayers } from '../cache/layers.ts'
import { type Amount, measureCache, pruneCache, verifyCache } from '../cache/upkeep.ts'
import type { Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { runStep } from '../core/event.ts'
import { type Project, readVersion } from '../core/project.ts'
import { formatBytes } from '../core/size.ts'
import { toolsSuite } from '../host/tools-packages.ts'
import { packagesKey, unpackedKey } from '../image/base.ts'
import { type AnyLock, readAllLocks } from '../lock/all.ts'
import { staleLock } from '../lock/request.ts'
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
  const locks = await readAllLocks(project)
  const labels = new Map(itemsOf(locks).map(({ sha256, label }) => [sha256, label]))
  const unpacked = new Set<Sha256>()
  for (const { kind, lock } of locks) {
    if (kind !== 'profile' || !lock.base) continue
    const { name, archive, image } = lock.base
    labels.set(archive.sha256, name)
    unpacked.add(unpackedKey(archive.sha256))
    for (const architecture of ['arm64', 'armhf'] as const) unpacked.add(packagesKey(image.sha256, architecture))
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

/** The locks whose items are meant: all, or those of one profile with the tools for it. */
const chosenLocks = async ({ project }: Context, profile: string | undefined): Promise<AnyLock[]> => {
  const locks = await readAllLocks(project)
  if (profile === undefined) return locks
  const own = locks.filter(({ kind, lock }) => kind === 'profile' && lock.profile === profile)
  if (own.length === 0) throw staleLock(profile, ['nothing has been locked yet'])
  const suites = new Set([toolsSuite, ...own.map(({ lock }) => lock.suite)])
  return [...own, ...locks.filter(({ kind, lock }) => kind === 'tools' && suites.has(lock.suite))]
}

const exportTo = async (context: Context, path: string, profile: string | undefined): Promise<Result> => {
  const { project, emit, signal } = context
  const locks = await chosenLocks(context, profile)
  const pibake = await readVersion(project)
  const exported = await exportCache({ project, locks, pibake, destination: resolve(path), emit, signal })
  const { items, sizeBytes, kept, missing } = exported
  if (missing.length > 0) {
    const message = `${missing.length} items that locks name are not in the cache, and so not in what was written.`
    emit({ type: 'notice', level: 'warn', message })
  }
  return {
    data: exported,
    lines: () => [
      `Wrote \`${exported.path}\`: ${items} items, ${formatBytes(sizeBytes)}${kept > 0 ? `; ${kept} were there` : ''}.`,
    ],
  }
}

const importFrom = async ({ project, emit, signal }: Context, path: string, dryRun: boolean): Promise<Result> => {
  const { labels } = await readLocked(project)
  const imported = await importCache({ project, path: resolve(path), labels, dryRun, emit, signal })
  const { added, present, refused, ignored } = imported
  const sizeBytes = added.reduce((sum, item) => sum + item.sizeBytes, 0)
  const failure = new PibakeError('BUNDLE_INVALID', `${refused.length} items are not what their digests say.`, {
    hint: 'Nothing of these was taken. Ask for them again where they came from; `pibake fetch` brings what is missing.',
    details: refused,
  })
  const verb = dryRun ? 'Would take' : 'Took'
  return {
    data: imported,
    lines: () => [
      `${verb} ${added.length} items (${formatBytes(sizeBytes)}); ${present} were here already.`,
      ...(ignored > 0 ? [`${ignored} other things in that folder were left where they are.`] : []),
    ],
    ...(refused.length > 0 ? { failure } : {}),
  }
}

const needPath = (path: string | undefined, action: string): string => {
  if (path !== undefined) return path
  throw new PibakeError('USAGE', `\`cache ${action}\` needs a file or a folder.`, {
    hint: `Name it: \`pibake cache ${action} /media/stick/cache\`.`,
  })
}

const refusePath = (path: string | undefined, action: string): void => {
  if (path === undefined) return
  throw new PibakeError('USAGE', `\`${path}\` means nothing to \`cache ${action}\`.`, { hint: 'Leave it away.' })
}

export const cache = defineCommand({
  options: {
    'dry-run': {
      type: 'boolean',
      default: false,
      describe: 'With prune or import: say what would go or come, and leave it',
    },
    profile: { type: 'string', describe: 'With export: only what the locks of this profile need, and the tools' },
  },
  positionals: {
    action: {
      choices: ['show', 'verify', 'prune', 'export', 'import'] as const,
      default: 'show' as const,
      describe:
        'Sizes; read everything and set aside what is damaged; drop what no lock and no profile needs; write what was fetched elsewhere; merge the cache of others into this one',
    },
    path: { type: 'string', describe: 'With export and import: a file ending in .asar, or a folder' },
  },
  examples: [
    ['$0 cache', 'What it holds'],
    ['$0 cache verify', 'Read all of it, and name what is damaged'],
    ['$0 cache prune --dry-run', 'How much could be freed'],
    ['$0 cache export /media/stick/cache', 'All that the locks need, into a folder; again, only what is new'],
    ['$0 cache export --profile pub pub-cache.asar', 'What pub needs, as one file'],
    ['$0 cache import /media/stick/cache', 'What others have fetched, each item checked'],
  ],
  async run({ action, path, profile, 'dry-run': dryRun }, context) {
    if (action === 'export') return exportTo(context, needPath(path, action), profile)
    if (action === 'import') return importFrom(context, needPath(path, action), dryRun)
    refusePath(path, action)
    const blobs = openBlobs(context.project.cache)
    if (action === 'verify') return verify(blobs, context)
    return action === 'prune' ? prune(blobs, context, dryRun) : show(context)
  },
})
