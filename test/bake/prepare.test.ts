import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { rememberImage, rememberStep } from '../../builder/bake/history.ts'
import { assertComplete, type BakePlan, planBake } from '../../builder/bake/prepare.ts'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { layerRoot } from '../../builder/cache/layers.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import type { Project } from '../../builder/core/project.ts'
import { lockPath, writeLock } from '../../builder/lock/file.ts'
import { profileRequest } from '../../builder/lock/profile-request.ts'
import { requestDigest } from '../../builder/lock/request.ts'
import type { LockedDeb } from '../../builder/lock/schema.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import { deb as anyDeb } from '../lock/_lock.ts'
import { makeProject, profileYaml, stageYaml } from '../profile/_project.ts'

const noImage = (): Promise<never> => Promise.reject(new Error('no base image here'))

const deb = (name: string): LockedDeb => ({ ...anyDeb(name), sizeBytes: 10 })

/** A checkout with a profile of two stages, its lock, and none of what that names. */
const makeLocked = async (t: ExecutionContext): Promise<Project> => {
  const project = await makeProject(t, {
    'stages/one/stage.yaml': stageYaml('one'),
    'stages/two/stage.yaml': stageYaml('two', 'needs: [one]'),
    'stages/profiles/node.yaml': profileYaml('node', 'stages: [two]', 'extraPackages: [tree]'),
  })
  const request = profileRequest(await resolveProfile(project, 'node'), undefined)
  await mkdir(project.locks, { recursive: true })
  await writeLock(lockPath(project.locks, 'node'), {
    version: 1,
    profile: 'node',
    suite: 'trixie',
    architecture: 'arm64',
    request: requestDigest(request),
    time: '2026-09-12T07:55:41.000Z',
    indexes: [],
    steps: [
      { name: 'base', debs: [deb('bash'), deb('tar')] },
      { name: 'one', debs: [deb('nginx')] },
      { name: 'two', debs: [] },
    ],
    extras: [deb('tree')],
    npm: {},
    artifacts: {},
  })
  return project
}

const plan = (project: Project): Promise<BakePlan> => planBake(project, { name: 'node', target: 'rpi-arm64' }, noImage)

const put = async (project: Project, { sha256, sizeBytes }: LockedDeb): Promise<void> => {
  const path = openBlobs(project.cache).blobPath(sha256)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, Buffer.alloc(sizeBytes))
}

const actions = ({ steps }: BakePlan): string[] => steps.map(({ id, action }) => `${id} ${action}`)

/** Seal the layers of a plan without baking, as far as the given step. */
const seal = async (project: Project, { steps }: BakePlan): Promise<void> => {
  for (const { id, key } of steps) {
    if (id === 'image') continue
    await mkdir(layerRoot(project.cache, key), { recursive: true })
    const record = { key, step: id, digest: hashBytes(id) }
    await writeFile(join(layerRoot(project.cache, key), '..', 'layer.json'), JSON.stringify(record))
  }
}

test('from nothing every step runs, and all that the lock names is missing', async (t) => {
  const project = await makeLocked(t)
  const planned = await plan(project)
  t.deepEqual(actions(planned), ['base run', 'one run', 'two run', 'finalise run', 'image run'])
  t.deepEqual(
    planned.missing.map(({ label, sizeBytes }) => `${label} ${sizeBytes}`),
    ['bash 1 10', 'tar 1 10', 'nginx 1 10', 'tree 1 10'],
  )
  t.is(planned.image, undefined)
})

test('what is in the cache with its size is not missing', async (t) => {
  const project = await makeLocked(t)
  await put(project, deb('bash'))
  await put(project, { ...deb('tar'), sizeBytes: 9 })
  t.deepEqual(
    (await plan(project)).missing.map(({ label }) => label),
    ['tar 1', 'nginx 1', 'tree 1'],
  )
})

test('what is missing comes in one error, each item with its size', (t) => {
  t.notThrows(() => assertComplete([]))
  const items = [deb('bash'), { ...deb('tar'), sizeBytes: 2_500_000 }]
  const missing = items.map(({ name, sha256, sizeBytes }) => ({ label: name, sha256, sizeBytes }))
  const error = t.throws(() => assertComplete(missing), { instanceOf: PibakeError, code: 'MISSING_OFFLINE' })
  t.regex(error.message, /^2 items \(2\.5 MB\)/)
  t.deepEqual(error.details, [`bash, 10 B, sha256 ${deb('bash').sha256}`, `tar, 2.5 MB, sha256 ${deb('tar').sha256}`])
})

test('with every layer sealed the image alone is made; with the image nothing is, nor needed', async (t) => {
  const project = await makeLocked(t)
  await seal(project, await plan(project))
  const sealed = await plan(project)
  t.deepEqual(actions(sealed), ['base cached', 'one cached', 'two cached', 'finalise cached', 'image run'])

  const path = join(project.images, 'node.img')
  await mkdir(project.images)
  await writeFile(path, 'an image')
  const top = sealed.steps.at(-1)
  if (!top) throw new Error('no steps')
  await rememberStep(project, 'node', top, 10)
  await rememberImage(project, 'node', { key: top.key, sha256: hashBytes('an image') })
  const whole = await plan(project)
  t.true(whole.steps.every(({ action }) => action === 'cached'))
  t.is(whole.image?.sha256, hashBytes('an image'))
  t.deepEqual(whole.missing, [])

  await rm(path)
  t.deepEqual(actions(await plan(project)).slice(-2), ['finalise cached', 'image run'])
})

test('an edit runs its stage and what stands on it', async (t) => {
  const project = await makeLocked(t)
  await seal(project, await plan(project))
  await writeFile(join(project.stages, 'two', 'postinst'), 'true\n')
  t.deepEqual(actions(await plan(project)), ['base cached', 'one cached', 'two run', 'finalise run', 'image run'])
  await writeFile(join(project.stages, 'one', 'postinst'), 'true\n')
  t.deepEqual(actions(await plan(project)).slice(0, 3), ['base cached', 'one run', 'two run'])
})

test('two checkouts in different folders have the same keys', async (t) => {
  const [one, other] = [await plan(await makeLocked(t)), await plan(await makeLocked(t))]
  t.deepEqual(
    one.steps.map(({ key }) => key),
    other.steps.map(({ key }) => key),
  )
})

test('a lock that does not fit the profile, or none, is stale', async (t) => {
  const project = await makeLocked(t)
  await writeFile(join(project.stages, 'one', 'stage.yaml'), stageYaml('one', 'packages: [nginx]'))
  await t.throwsAsync(plan(project), { code: 'LOCK_STALE' })
  await rm(lockPath(project.locks, 'node'))
  await t.throwsAsync(plan(project), { code: 'LOCK_STALE' })
})
