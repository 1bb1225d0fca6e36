import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import test from 'ava'
import { versionsOf } from '../../builder/bake/base.ts'
import { describeDebs, openKitchen } from '../../builder/bake/kitchen.ts'
import { layRoot, scaffoldLayer } from '../../builder/bake/layer.ts'
import { stagePackage } from '../../builder/bake/stage-package.ts'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { projectAt } from '../../builder/core/project.ts'
import { essentialClosure } from '../../builder/deb/closure.ts'
import { writeImageMirror } from '../../builder/deb/image-mirror.ts'
import { fileNameOf, type RepositoryDeb } from '../../builder/deb/repository.ts'
import { makeScratch } from '../../builder/host/scratch.ts'
import { allDebs } from '../../builder/lock/debs.ts'
import { lockPath, readLock } from '../../builder/lock/file.ts'
import type { Lock } from '../../builder/lock/schema.ts'
import { listProfileNames } from '../../builder/profile/profile.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import type { ResolvedProfile } from '../../builder/profile/schema.ts'
import { bootstrapRoot, installPackages } from '../../builder/root/apt.ts'
import { runInRoot } from '../../builder/root/root.ts'
import { checkout } from '../support/tools.ts'

const isRoot = process.getuid?.() === 0
const ifRoot = isRoot ? test.serial : test.serial.skip

const project = projectAt(checkout)
const signal = new AbortController().signal

type Locked = { profile: ResolvedProfile; lock: Lock }

/** Every profile whose lock is there with all that it names in the cache; pub comes first. */
const lockedProfiles = async (): Promise<Locked[]> => {
  const blobs = openBlobs(project.cache)
  const found: Locked[] = []
  const names = await listProfileNames(project)
  for (const name of names.sort((a, b) => Number(b === 'pub') - Number(a === 'pub'))) {
    const profile = await resolveProfile(project, name)
    const lock = await readLock(lockPath(project.locks, name))
    if (!lock || profile.base.kind !== 'debian') continue
    const items = [...allDebs(lock), ...Object.values(lock.npm).flat(), ...Object.values(lock.artifacts).flat()]
    const present = await Promise.all(items.map(({ sha256, sizeBytes }) => blobs.hasBlob(sha256, sizeBytes)))
    if (!present.includes(false)) found.push({ profile, lock })
  }
  return found
}

/** Install and purge packages of stages on a minimal Debian root; what the script says. */
const tryStages = async ({ profile, lock }: Locked, stages: readonly string[]): Promise<string[]> => {
  await using scratch = await makeScratch(project.work)
  const kitchen = await openKitchen(
    { profile, lock },
    { project, twins: true, scratch: scratch.path, emit: () => {}, signal },
  )
  const described = await describeDebs(kitchen, allDebs(lock))
  const own: RepositoryDeb[] = []
  for (const entry of profile.stages) own.push(await stagePackage(kitchen, entry))
  const folder = join(scratch.path, 'plain')
  await mkdir(folder)
  const packages = { before: new Map<string, string>(), added: versionsOf(allDebs(lock)) }
  const lower = [await scaffoldLayer(kitchen)]
  const { root } = await layRoot(kitchen, { folder, lower, debs: described, packages })
  const { suite, architecture } = profile
  await writeImageMirror(
    { root: root.inside, folder: 'mirror', suite, architecture },
    {
      components: new Map([
        ['main', described],
        ['pibake', own],
      ]),
      timeSeconds: kitchen.timeSeconds,
    },
  )
  await bootstrapRoot(root, essentialClosure(described.map(({ stanza }) => stanza)).map(fileNameOf), { signal })
  await installPackages(root, ['apt'], { signal })
  const lines: string[] = []
  const mounts = ['../../builder/root/apt.conf', 'plain-debian.sh'].map((file) => ({
    source: join(import.meta.dirname, file),
    target: `/pibake/${basename(file)}`,
  }))
  await runInRoot(root, ['bash', '/pibake/plain-debian.sh', architecture, ...stages], {
    signal,
    mounts,
    onLine: (line) => lines.push(line),
  })
  return lines
}

ifRoot('each stage installs on a plain Debian root from the mirror alone, and its purge leaves nothing', async (t) => {
  t.timeout(3_600_000)
  const locked = await lockedProfiles()
  t.is(locked[0]?.profile.name, 'pub', 'the packages of pub are not in the cache')
  const tried = new Set<string>()
  for (const { profile, lock } of locked) {
    const stages = profile.stages.map(({ stage }) => stage.name).filter((name) => !tried.has(name))
    if (stages.length === 0) continue
    const startedAt = performance.now()
    const lines = await tryStages({ profile, lock }, stages)
    t.deepEqual(
      lines.filter((line) => line.startsWith('left ')),
      [],
    )
    t.true(lines.includes('all stages done'))
    for (const name of stages) tried.add(name)
    t.log(`${profile.name}: ${stages.join(', ')} in ${Math.round((performance.now() - startedAt) / 1000)} s`)
  }
})
