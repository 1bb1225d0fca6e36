import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import type { Project } from '../../builder/core/project.ts'
import { hostArchitecture } from '../../builder/host/architecture.ts'
import { findContent } from '../../builder/kit/content.ts'
import { lockPath, toolsLockPath, writeLock, writeToolsLock } from '../../builder/lock/file.ts'
import { profileRequest } from '../../builder/lock/profile-request.ts'
import { requestDigest } from '../../builder/lock/request.ts'
import type { LockedDeb } from '../../builder/lock/schema.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import { lock, deb as lockedDeb } from '../lock/_lock.ts'
import { makeProject, profileYaml, stageYaml } from '../profile/_project.ts'

/** A locked package whose content is its name. */
const deb = (name: string): LockedDeb => ({ ...lockedDeb(name), sizeBytes: name.length, sha256: hashBytes(name) })

const put = async ({ cache }: Project, name: string): Promise<void> => {
  const path = openBlobs(cache).blobPath(hashBytes(name))
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, name)
}

const lockAs = async (project: Project, name: string, packages: readonly string[]): Promise<void> => {
  const request = requestDigest(profileRequest(await resolveProfile(project, name), undefined))
  const steps = [{ name: 'base', debs: packages.map(deb) }]
  const empty = { extras: [], npm: {}, artifacts: {} }
  await writeLock(lockPath(project.locks, name), { ...lock, ...empty, profile: name, request, steps })
}

const makeCheckout = async (t: ExecutionContext): Promise<Project> => {
  const project = await makeProject(t, {
    'stages/profiles/hill.yaml': profileYaml('hill', 'suite: trixie', 'stages: [web]'),
    'stages/profiles/lake.yaml': profileYaml('lake', 'suite: trixie', 'stages: [web]'),
    'stages/profiles/never-locked.yaml': profileYaml('never-locked', 'suite: trixie', 'stages: [web]'),
    'stages/web/stage.yaml': stageYaml('web'),
  })
  await mkdir(project.locks, { recursive: true })
  await lockAs(project, 'hill', ['both', 'hill-only'])
  await lockAs(project, 'lake', ['both', 'lake-only'])
  const architecture = hostArchitecture()
  const { request, time, indexes } = lock
  const tools = { version: 1 as const, suite: 'trixie', architecture, request, time, indexes, first: [] }
  await writeToolsLock(toolsLockPath(project.locks, 'trixie', architecture), { ...tools, debs: [deb('tool')] })
  for (const name of ['both', 'hill-only', 'lake-only', 'tool']) await put(project, name)
  return project
}

const lacking = async (project: Project, name: string): Promise<void> => {
  await rm(openBlobs(project.cache).blobPath(hashBytes(name)))
}

const outputsOf = ({ locked }: Awaited<ReturnType<typeof findContent>>): string[] =>
  locked.map(({ profile }) => profile.output)

test('every profile that is locked and fetched, with the tools, each file once', async (t) => {
  const project = await makeCheckout(t)
  const content = await findContent(project, [])
  t.deepEqual(outputsOf(content), ['hill', 'lake'])
  t.deepEqual(content.leftOut, [])
  t.deepEqual(content.files.map(({ label }) => label).sort(), ['both 1', 'hill-only 1', 'lake-only 1', 'tool 1'])
  t.is(content.files[0]?.source, openBlobs(project.cache).blobPath(hashBytes('tool')))
})

test('a profile whose files are not all there is left out, and named', async (t) => {
  const project = await makeCheckout(t)
  await lacking(project, 'lake-only')
  const content = await findContent(project, [])
  t.deepEqual([outputsOf(content), content.leftOut], [['hill'], ['lake']])
  t.false(content.files.some(({ label }) => label.startsWith('lake')))
})

for (const [what, names, gone, code, says] of [
  ['a named profile that lacks files', ['lake'], 'lake-only', 'MISSING_OFFLINE', /lake-only 1/],
  ['tools that lack files', [], 'tool', 'MISSING_OFFLINE', /tool 1/],
  ['a named profile that was never locked', ['never-locked'], undefined, 'LOCK_STALE', /never-locked/],
  ['a profile that is not there', ['hil'], undefined, 'UNKNOWN_NAME', /hil/],
  ['a profile by its path', ['./mine.yaml'], undefined, 'USAGE', /\.\/mine\.yaml/],
] as const) {
  test(`${what}: no kit`, async (t) => {
    const project = await makeCheckout(t)
    if (gone !== undefined) await lacking(project, gone)
    const error = await t.throwsAsync(findContent(project, names), { instanceOf: PibakeError })
    t.is(error?.code, code)
    t.regex([error?.message, ...(error?.details ?? [])].join(' '), says)
  })
}

test('nothing that is fetched, or no tools: no kit', async (t) => {
  const project = await makeCheckout(t)
  await lacking(project, 'both')
  const nothing = await t.throwsAsync(findContent(project, []), { instanceOf: PibakeError })
  t.regex(nothing?.message ?? '', /No profile is locked with all that it needs/)
  await rm(toolsLockPath(project.locks, 'trixie', hostArchitecture()))
  const toolless = await t.throwsAsync(findContent(project, ['hill']), { instanceOf: PibakeError })
  t.regex(toolless?.message ?? '', /The tools were never fetched/)
})
