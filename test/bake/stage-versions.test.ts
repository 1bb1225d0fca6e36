import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { rememberImage, rememberStep } from '../../builder/bake/history.ts'
import { noteStageVersions } from '../../builder/bake/stage-versions.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import type { Project } from '../../builder/core/project.ts'
import type { Lock } from '../../builder/lock/schema.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import { lock as anyLock } from '../lock/_lock.ts'
import { makeProject, profileYaml, stageYaml, writeFiles } from '../profile/_project.ts'

const one = (...lines: string[]): string =>
  stageYaml(
    'one',
    'packages: [nginx]',
    'settings: {greeting: {description: What it says, default: hello}}',
    'checks: [{name: up, title: It is up, run: up}]',
    'labChecks: [{name: both, title: Both are up, run: both}]',
    ...lines,
  )

const makeStages = (t: ExecutionContext): Promise<Project> =>
  makeProject(t, {
    'stages/one/stage.yaml': one(),
    'stages/one/README.md': '# One\n',
    'stages/one/checks/up': { executable: '#!/bin/sh\n' },
    'stages/one/lab/both': { executable: '#!/bin/sh\n' },
    'stages/one/npm/package.json': '{}\n',
    'stages/one/npm/package-lock.json': '{}\n',
    'overlays/one/usr/bin/one': '#!/bin/sh\n',
    'stages/two/stage.yaml': stageYaml('two', 'needs: [one]'),
    'stages/profiles/node.yaml': profileYaml('node', 'stages: [two]'),
  })

const npm = (sha256: string): Lock => ({
  ...anyLock,
  npm: { one: (anyLock.npm.ssb ?? []).map((item) => ({ ...item, sha256: hashBytes(sha256) })) },
})

/** Finish an image: the notices it ends with. */
const finish = async (project: Project, lock = npm('x')): Promise<PibakeEvent[]> => {
  const events: PibakeEvent[] = []
  const profile = await resolveProfile(project, 'node')
  await noteStageVersions({ project, profile, lock, emit: (event) => events.push(event) })
  return events
}

const changedOne: PibakeEvent[] = [
  {
    type: 'notice',
    level: 'warn',
    message:
      'Stage `one` changed but is still version 1.0: nodes that upgrade from this image may keep what they have. ' +
      'Raise `version` in stages/one/stage.yaml.',
  },
]

const inside = (project: Project, path: string): string => join(project.root, path)

const append = async (project: Project, path: string, text: string): Promise<void> =>
  writeFile(inside(project, path), `${await readFile(inside(project, path), 'utf8')}${text}`)

const changes: Record<string, (project: Project) => Promise<void>> = {
  'a line in its overlay': (project) => append(project, 'overlays/one/usr/bin/one', 'exit 0\n'),
  'an executable bit': (project) => chmod(inside(project, 'overlays/one/usr/bin/one'), 0o755),
  'a new maintainer script': (project) => writeFile(inside(project, 'stages/one/postinst'), 'true\n'),
  'a check': (project) => append(project, 'stages/one/checks/up', 'exit 0\n'),
  'a check between nodes': (project) => append(project, 'stages/one/lab/both', 'exit 0\n'),
  'which nodes a check is for': (project) =>
    writeFile(inside(project, 'stages/one/stage.yaml'), one().replace('run: both', 'run: both, pairs: neighbours')),
  'the package.json': (project) => append(project, 'stages/one/npm/package.json', ' '),
  'another dependency': (project) =>
    writeFile(inside(project, 'stages/one/stage.yaml'), one().replace('[nginx]', '[nginx, tree]')),
  'another default of a setting': (project) =>
    writeFile(inside(project, 'stages/one/stage.yaml'), one().replace('default: hello', 'default: bye')),
}

for (const [what, change] of Object.entries(changes)) {
  test(`${what} without a new version is told`, async (t) => {
    const project = await makeStages(t)
    t.deepEqual(await finish(project), [])
    await change(project)
    t.deepEqual(await finish(project), changedOne)
  })
}

test('another npm tree without a new version is told', async (t) => {
  const project = await makeStages(t)
  await finish(project)
  t.deepEqual(await finish(project, npm('y')), changedOne)
})

const noChanges: Record<string, (project: Project) => Promise<void>> = {
  'a setting of the profile': (project) =>
    append(project, 'stages/profiles/node.yaml', 'settings: {one: {greeting: hi}}\n'),
  'a comment in stage.yaml': (project) => append(project, 'stages/one/stage.yaml', '# a comment\n'),
  'the README': (project) => append(project, 'stages/one/README.md', 'More.\n'),
  'how package-lock.json is laid out': (project) => append(project, 'stages/one/npm/package-lock.json', '\n'),
  'a raised version': async (project) => {
    await append(project, 'overlays/one/usr/bin/one', 'exit 0\n')
    await writeFile(inside(project, 'stages/one/stage.yaml'), one().replace("'1.0'", "'1.1'"))
  },
}

for (const [what, change] of Object.entries(noChanges)) {
  test(`${what} is nothing to tell`, async (t) => {
    const project = await makeStages(t)
    await finish(project)
    await change(project)
    t.deepEqual(await finish(project), [])
  })
}

test('another time of the lock, or other packages in it, are nothing to tell', async (t) => {
  const project = await makeStages(t)
  await finish(project)
  t.deepEqual(await finish(project, { ...npm('x'), time: '2027-01-01T00:00:00.000Z', steps: [] }), [])
})

test('it is told again until the change is taken back', async (t) => {
  const project = await makeStages(t)
  const file = inside(project, 'overlays/one/usr/bin/one')
  const before = await readFile(file, 'utf8')
  await finish(project)
  await append(project, 'overlays/one/usr/bin/one', 'exit 0\n')
  t.deepEqual(await finish(project), changedOne)
  t.deepEqual(await finish(project), changedOne)
  await writeFile(file, before)
  t.deepEqual(await finish(project), [])
})

test('a version stands for what it was first, also after later ones', async (t) => {
  const project = await makeStages(t)
  const file = inside(project, 'stages/one/stage.yaml')
  await finish(project)
  await append(project, 'overlays/one/usr/bin/one', 'exit 0\n')
  await writeFile(file, one().replace("'1.0'", "'1.1'"))
  t.deepEqual(await finish(project), [])
  await writeFile(file, one())
  t.deepEqual(await finish(project), changedOne)
})

test('several stages are told in one notice', async (t) => {
  const project = await makeStages(t)
  await finish(project)
  await writeFiles(project.root, { 'stages/one/postrm': 'true\n', 'overlays/two/etc/two.conf': 'a = 1\n' })
  const [notice, ...others] = await finish(project)
  t.deepEqual(others, [])
  t.like(notice, {
    message:
      'Stages `one` (1.0) and `two` (1.0) changed without a new version: nodes that upgrade from this image may keep ' +
      'what they have. Raise `version` in stages/one/stage.yaml and stages/two/stage.yaml.',
  })
})

test('a stage that leaves the profile for a while is not forgotten', async (t) => {
  const project = await makeStages(t)
  const file = inside(project, 'stages/two/stage.yaml')
  await finish(project)
  await writeFile(file, stageYaml('two'))
  await finish(project)
  await append(project, 'overlays/one/usr/bin/one', 'exit 0\n')
  await writeFile(file, stageYaml('two', 'needs: [one]'))
  t.deepEqual(await finish(project), changedOne)
})

test('what is remembered stays beside the steps and the image, and nothing is told without it', async (t) => {
  const project = await makeStages(t)
  await finish(project)
  await mkdir(project.images)
  await writeFile(join(project.images, 'node.img'), 'an image')
  await rememberStep(project, 'node', { id: 'one', title: 'one', inputs: [], key: hashBytes('key') }, 5)
  await rememberImage(project, 'node', { key: hashBytes('key'), sha256: hashBytes('an image') })
  await append(project, 'overlays/one/usr/bin/one', 'exit 0\n')
  t.deepEqual(await finish(project), changedOne)
  await rm(join(project.state, 'history'), { recursive: true })
  t.deepEqual(await finish(project), [])
})
