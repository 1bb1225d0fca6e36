import { chmod, cp, mkdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Project, projectAt } from '../../builder/core/project.ts'
import { stageDigest } from '../../builder/profile/content.ts'
import { listStages } from '../../builder/profile/stage.ts'
import { type FileSpec, makeProject, stageYaml, temporaryFolder, writeFiles } from './_project.ts'

const files: Record<string, FileSpec> = {
  'stages/x/stage.yaml': stageYaml('x', 'checks: [{name: a, title: A, run: a}]'),
  'stages/x/README.md': 'About x',
  'stages/x/checks/a': { executable: '#!/bin/sh\n' },
  'overlays/x/usr/lib/x': 'text',
  'overlays/x/usr/bin/x': { link: '../lib/x' },
}

const digestOf = async (project: Project, settings = {}) => {
  const [stage] = await listStages(project)
  if (stage === undefined) throw new Error('no stage')
  return stageDigest(stage, settings)
}

const change = async (t: ExecutionContext, edit: (root: string) => Promise<unknown>) => {
  const project = await makeProject(t, files)
  const before = await digestOf(project)
  await edit(project.root)
  return { before, after: await digestOf(project) }
}

const keeps = test.macro(async (t, edit: (root: string) => Promise<unknown>) => {
  const { before, after } = await change(t, edit)
  t.is(after, before)
})

const changes = test.macro(async (t, edit: (root: string) => Promise<unknown>) => {
  const { before, after } = await change(t, edit)
  t.not(after, before)
})

test('kept by a README', keeps, (root) => writeFile(join(root, 'stages/x/README.md'), 'Other'))
test('kept by a time', keeps, (root) => utimes(join(root, 'overlays/x/usr/lib/x'), 1, 2))
test('kept by a mode that is not the executable bit', keeps, (root) => chmod(join(root, 'overlays/x/usr/lib/x'), 0o600))
test('kept by an empty folder', keeps, (root) => mkdir(join(root, 'overlays/x/usr/share')))
test('kept by what npm install leaves', keeps, (root) => writeFiles(root, { 'stages/x/npm/node_modules/a/b': 'x' }))
test('changed by a byte', changes, (root) => writeFile(join(root, 'overlays/x/usr/lib/x'), 'Text'))
test('changed by the executable bit', changes, (root) => chmod(join(root, 'overlays/x/usr/lib/x'), 0o755))
test('changed by a file', changes, (root) => writeFile(join(root, 'stages/x/postinst'), ':'))
test('changed by a link target', changes, async (root) => {
  await rm(join(root, 'overlays/x/usr/bin/x'))
  await writeFiles(root, { 'overlays/x/usr/bin/x': { link: '../lib/y' } })
})
test('changed by a README in the overlay', changes, (root) => writeFile(join(root, 'overlays/x/README.md'), 'a'))

test('the place does not matter, the settings do', async (t) => {
  const project = await makeProject(t, files)
  const copy = await temporaryFolder(t)
  await cp(project.root, copy, { recursive: true, verbatimSymlinks: true })
  t.is(await digestOf(projectAt(copy), { b: 1, a: ['x'] }), await digestOf(project, { a: ['x'], b: 1 }))
  t.not(await digestOf(project, { a: ['y'], b: 1 }), await digestOf(project, { a: ['x'], b: 1 }))
})
