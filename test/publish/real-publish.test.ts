import { readdirSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { hashBytes, hashFile } from '../../builder/core/digest.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { type Project, projectAt } from '../../builder/core/project.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import type { Lock, LockedDeb } from '../../builder/lock/schema.ts'
import type { TargetName } from '../../builder/profile/target.ts'
import type { Compression } from '../../builder/publish/compress.ts'
import { findPublished, publishImage } from '../../builder/publish/publish.ts'
import { deb, lock as exampleLock } from '../lock/_lock.ts'
import { makeDeb } from '../support/make-deb.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'
import { profile } from './_profile.ts'

const copyright = 'Format: x\n\nFiles: *\nCopyright: x\nLicense: Expat\n'

/** Packages in the cache: one with a copyright file, and one that links to its documentation. */
const storePackages = async (project: Project): Promise<LockedDeb[]> => {
  const folder = await mkdtemp(join(project.root, 'debs-'))
  const contents = {
    one: { 'usr/share/doc/one/copyright': copyright, 'usr/share/doc/one/changelog': 'x', 'usr/bin/one': 'x' },
    two: { 'usr/share/doc/two': { link: 'one' } },
    bare: { 'usr/bin/bare': 'x' },
  }
  const debs: LockedDeb[] = []
  for (const [name, data] of Object.entries(contents)) {
    const path = await makeDeb(join(folder, name), { control: { control: `Package: ${name}\n` }, data })
    debs.push({ ...deb(name), ...(await openBlobs(project.cache).importFile(path)) })
  }
  return debs
}

/** A project with one image, as a bake leaves it, and what publishing does to it. */
const openProject = async (t: ExecutionContext, target: TargetName = 'rpi-arm64') => {
  const project = projectAt(await scratch(t))
  const path = join(project.images, 'one.img')
  await mkdir(project.images)
  await writeFile(join(project.root, 'package.json'), '{"version":"1.2.3"}')
  const lock: Lock = {
    ...exampleLock,
    steps: [{ name: 'base', debs: await storePackages(project) }],
    extras: [],
    npm: {},
    artifacts: {},
  }
  const bake = async (text: string): Promise<void> => {
    await writeFile(path, text)
    await writeFile(`${path}.sha256`, `${hashBytes(text)}  one.img\n`)
  }
  const request = async (compress: Compression[]) => ({
    project,
    profile: { ...profile, target, name: 'one', stages: [] },
    lock,
    image: { path, sha256: await hashFile(path) },
    compress,
  })
  const publish = async (compress: Compression[] = []): Promise<string[]> => {
    const made: string[] = []
    const emit = (event: PibakeEvent): void => {
      if (event.type === 'step-start') made.push(event.id.replace('publish:', ''))
    }
    const { signal } = new AbortController()
    await publishImage({ ...(await request(compress)), openTools: async () => tools, emit, signal })
    return made
  }
  const find = async (compress: Compression[] = []) => findPublished(await request(compress))
  return { project, path, bake, publish, find, names: () => readdirSync(project.images).sort() }
}

const always = ['one.cdx.json', 'one.img', 'one.img.sha256', 'one.rpi-imager-manifest', 'one.spdx.json']
const bills = ['one.cdx.json', 'one.spdx.json']

test('the bills of materials name the licences in the packages, also where one package links to another', async (t) => {
  const { project, bake, publish } = await openProject(t)
  await bake('first')
  t.deepEqual(await publish(), bills)
  const text = await readFile(join(project.images, 'one.cdx.json'), 'utf8')
  const { components } = JSON.parse(text) as { components: { name: string; licenses: unknown }[] }
  t.deepEqual(
    components.map(({ name, licenses }) => [name, licenses]),
    [
      ['bare', [{ license: { name: 'the package has no copyright file' } }]],
      ['one', [{ expression: 'MIT' }]],
      ['two', [{ expression: 'MIT' }]],
    ],
  )
})

test('what is asked for is written once, listed with its checksum, and kept while the image stays', async (t) => {
  const { project, bake, publish, find, names } = await openProject(t)
  await bake('first')
  t.is(await find(), undefined)
  await publish()
  t.deepEqual(names(), always)
  t.is((await find())?.length, 2)
  t.is(await find(['zst']), undefined)
  t.deepEqual(await publish(['zst', 'xz']), ['one.img.xz', 'one.img.zst'])
  t.deepEqual(names(), [...always, 'one.img.xz', 'one.img.zst'].sort())
  t.deepEqual(await publish(['zst']), [])
  t.deepEqual(
    (await find())?.map(({ path }) => path),
    [...bills, 'one.img.xz', 'one.img.zst'].sort().map((name) => join(project.images, name)),
  )
  const list = await readFile(join(project.images, 'one.img.sha256'), 'utf8')
  t.deepEqual(
    list.split('\n').map((line) => line.slice(66)),
    ['one.img', 'one.cdx.json', 'one.img.xz', 'one.img.zst', 'one.spdx.json', ''],
  )
  const check = ['sha256sum', '--check', '--strict', 'one.img.sha256']
  const { stdout } = await runTool(tools, check, { readOnly: [project.images], cwd: project.images })
  t.is(stdout.match(/: OK$/gm)?.length, 5)
})

test('archives go with the image that they were made from', async (t) => {
  const { project, bake, publish, find, names } = await openProject(t)
  await bake('first')
  await publish(['zst'])
  await bake('second')
  t.is(await find(), undefined, 'an archive of another image lies there')
  t.deepEqual(await publish(), bills)
  t.deepEqual(names(), always)
  t.deepEqual(await publish(['zst']), ['one.img.zst'])
  const archive = join(project.images, 'one.img.zst')
  const { stdout } = await runTool(tools, ['zstd', '-dcq', archive], { readOnly: [archive] })
  t.is(stdout, 'second')
})

test('the manifest names the xz archive once there is one', async (t) => {
  const { path, project, bake, publish } = await openProject(t)
  await bake('first')
  const read = async (): Promise<Record<string, unknown>> => {
    const text = await readFile(join(project.images, 'one.rpi-imager-manifest'), 'utf8')
    return JSON.parse(text).os_list[0]
  }
  await publish(['zst'])
  t.is((await read()).url, pathToFileURL(path).href)
  await publish(['xz'])
  const { url, extract_size: whole, image_download_size: size, image_download_sha256: sha256 } = await read()
  t.is(url, pathToFileURL(`${path}.xz`).href)
  t.deepEqual([whole, size], [5, (await stat(`${path}.xz`)).size])
  t.is(sha256, await hashFile(`${path}.xz`))
})

test('an image for virtual machines has a qcow2 beside it, and nothing for Imager', async (t) => {
  const { path, project, bake, publish, find, names } = await openProject(t, 'vm-amd64')
  const qcow2 = join(project.images, 'one.qcow2')
  await bake('x'.repeat(1 << 20).padEnd(3 << 20, '\0'))
  t.deepEqual(await publish(), ['one.qcow2', ...bills])
  t.deepEqual(names(), ['one.cdx.json', 'one.img', 'one.img.sha256', 'one.qcow2', 'one.spdx.json'])
  const digest = await hashFile(qcow2)
  t.true((await readFile(`${path}.sha256`, 'utf8')).includes(`${digest}  one.qcow2\n`))
  t.is((await find())?.length, 3)

  const access = { readOnly: [project.images] }
  t.regex((await runTool(tools, ['qemu-img', 'check', qcow2], access)).stdout, /No errors were found/)
  await runTool(tools, ['qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', path, qcow2], access)
  await rm(qcow2)
  t.is(await find(), undefined)
  t.deepEqual(await publish(), ['one.qcow2'])
  t.is(await hashFile(qcow2), digest)
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
