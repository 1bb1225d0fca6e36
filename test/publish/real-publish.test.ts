import { readdirSync } from 'node:fs'
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { hashBytes, hashFile } from '../../builder/core/digest.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { projectAt } from '../../builder/core/project.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import type { Compression } from '../../builder/publish/compress.ts'
import { findPublished, publishImage } from '../../builder/publish/publish.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'

/** A project with one image, as a bake leaves it, and what publishing does to it. */
const openProject = async (t: ExecutionContext) => {
  const project = projectAt(await scratch(t))
  const path = join(project.images, 'one.img')
  await mkdir(project.images)
  const bake = async (text: string): Promise<void> => {
    await writeFile(path, text)
    await writeFile(`${path}.sha256`, `${hashBytes(text)}  one.img\n`)
  }
  const request = async (compress: Compression[]) => ({
    project,
    profile: 'one',
    image: { path, sha256: await hashFile(path) },
    compress,
  })
  const publish = async (compress: Compression[] = []): Promise<string[]> => {
    const made: string[] = []
    const emit = (event: PibakeEvent): void => {
      if (event.type === 'step-start') made.push(event.id)
    }
    const { signal } = new AbortController()
    await publishImage({ ...(await request(compress)), openTools: async () => tools, emit, signal })
    return made
  }
  const find = async (compress: Compression[] = []) => findPublished(await request(compress))
  return { project, path, bake, publish, find, names: () => readdirSync(project.images).sort() }
}

test('what is asked for is written once, listed with its checksum, and kept while the image stays', async (t) => {
  const { project, bake, publish, find, names } = await openProject(t)
  await bake('first')
  t.deepEqual(await find(), [], 'nothing is missing when nothing is asked for')
  t.is(await find(['zst']), undefined)
  t.deepEqual(await publish(['zst', 'xz']), ['one.img.xz', 'one.img.zst'])
  t.deepEqual(names(), ['one.img', 'one.img.sha256', 'one.img.xz', 'one.img.zst'])
  t.deepEqual(await publish(['zst']), [])
  t.deepEqual(
    (await find())?.map(({ path }) => path),
    [join(project.images, 'one.img.xz'), join(project.images, 'one.img.zst')],
  )
  const list = await readFile(join(project.images, 'one.img.sha256'), 'utf8')
  t.regex(list, /^\w+ {2}one\.img\n\w+ {2}one\.img\.xz\n\w+ {2}one\.img\.zst\n$/)
  const check = ['sha256sum', '--check', '--strict', 'one.img.sha256']
  const { stdout } = await runTool(tools, check, { readOnly: [project.images], cwd: project.images })
  t.is(stdout, 'one.img: OK\none.img.xz: OK\none.img.zst: OK')
})

test('archives go with the image that they were made from', async (t) => {
  const { project, bake, publish, find, names } = await openProject(t)
  await bake('first')
  await publish(['zst'])
  await bake('second')
  t.is(await find(), undefined, 'an archive of another image lies there')
  t.deepEqual(await publish(), [])
  t.deepEqual(names(), ['one.img', 'one.img.sha256'])
  t.deepEqual(await publish(['zst']), ['one.img.zst'])
  const archive = join(project.images, 'one.img.zst')
  const { stdout } = await runTool(tools, ['zstd', '-dcq', archive], { readOnly: [archive] })
  t.is(stdout, 'second')
})

test('a file that somebody else has changed is written anew when asked for, and left alone otherwise', async (t) => {
  const { project, bake, publish, find } = await openProject(t)
  const archive = join(project.images, 'one.img.xz')
  await bake('first')
  await publish(['xz'])
  const digest = await hashFile(archive)
  await appendFile(archive, 'x')
  t.is(await find(['xz']), undefined)
  t.deepEqual(await publish(['xz']), ['one.img.xz'])
  t.is(await hashFile(archive), digest)
  await appendFile(archive, 'mine')
  await publish()
  t.true((await readFile(archive, 'latin1')).endsWith('mine'))
})
