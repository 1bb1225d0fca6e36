import { mkdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { currentImage, imagePath, readHistory, rememberImage, rememberStep } from '../../builder/bake/history.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { type Project, projectAt } from '../../builder/core/project.ts'
import type { KeyedStep } from '../../builder/plan/plan.ts'
import { scratch } from '../support/scratch.ts'

const step = (id: string): KeyedStep => ({
  id,
  title: id,
  inputs: [{ name: 'files', digest: hashBytes(id) }],
  key: hashBytes(`key of ${id}`),
})

test('steps are remembered by profile, the last run of each', async (t) => {
  const project = projectAt(await scratch(t))
  t.deepEqual(await readHistory(project, 'pub'), {})
  await rememberStep(project, 'pub', step('base'), 100)
  await rememberStep(project, 'pub', step('ssh'), 20)
  await rememberStep(project, 'pub', step('base'), 90)
  const { inputs, key } = step('base')
  const history = await readHistory(project, 'pub')
  t.deepEqual(history.base, { inputs, key, durationMs: 90 })
  t.is(history.ssh?.durationMs, 20)
  t.deepEqual(await readHistory(project, 'other'), {})
})

test('a damaged history is forgotten, and can be written anew', async (t) => {
  const project = projectAt(await scratch(t))
  await rememberStep(project, 'pub', step('base'), 100)
  await writeFile(join(project.state, 'history', 'pub.json'), '{"steps": {"ba')
  t.deepEqual(await readHistory(project, 'pub'), {})
  t.is(await currentImage(project, 'pub'), undefined)
  await rememberStep(project, 'pub', step('base'), 70)
  t.is((await readHistory(project, 'pub')).base?.durationMs, 70)
})

const withImage = async (t: ExecutionContext): Promise<{ project: Project; path: string }> => {
  const project = projectAt(await scratch(t))
  const path = imagePath(project, 'pub')
  await mkdir(project.images)
  await writeFile(path, 'an image')
  await rememberStep(project, 'pub', step('image'), 5)
  await rememberImage(project, 'pub', { key: hashBytes('key'), sha256: hashBytes('an image') })
  return { project, path }
}

test('an image is current while its file is as it was written', async (t) => {
  const { project, path } = await withImage(t)
  const image = await currentImage(project, 'pub')
  t.is(image?.sha256, hashBytes('an image'))
  t.is(path, join(project.images, 'pub.img'))
  t.is((await readHistory(project, 'pub')).image?.durationMs, 5)
})

const changes: Record<string, (path: string) => Promise<void>> = {
  'is gone': (path) => rm(path),
  'has another size': (path) => writeFile(path, 'another image'),
  'has another time': (path) => utimes(path, 1, 1),
}

for (const [what, change] of Object.entries(changes)) {
  test(`an image that ${what} is not current`, async (t) => {
    const { project, path } = await withImage(t)
    await change(path)
    t.is(await currentImage(project, 'pub'), undefined)
  })
}
