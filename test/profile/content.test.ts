import { chmod, cp, mkdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { type Project, projectAt } from '../../builder/core/project.ts'
import { listContent, stageDigest } from '../../builder/profile/content.ts'
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
test('a link out of the stage stands for the file that it leads to', async (t) => {
  const project = await makeProject(t, {
    ...files,
    'overlays/y/usr/bin/shared': { executable: 'one' },
    'overlays/x/usr/bin/shared': { link: '../../../y/usr/bin/shared' },
  })
  const overlay = join(project.overlays, 'x')
  const source = join(project.overlays, 'y/usr/bin/shared')
  t.deepEqual(await listContent(overlay), [
    { kind: 'file', path: 'usr/bin/shared', source, executable: true },
    { kind: 'link', path: 'usr/bin/x', target: '../lib/x' },
    { kind: 'file', path: 'usr/lib/x', source: join(overlay, 'usr/lib/x'), executable: false },
  ])
  const before = await digestOf(project)
  await writeFile(source, 'two')
  t.not(await digestOf(project), before)
  await rm(source)
  const error = await t.throwsAsync(digestOf(project), { instanceOf: PibakeError })
  t.regex(error?.message ?? '', /overlays\/x\/usr\/bin\/shared` leads out of its stage, and to no file/)
})

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
