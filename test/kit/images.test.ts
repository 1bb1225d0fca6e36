import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import { projectAt } from '../../builder/core/project.ts'
import { findImages, imageOn, renderImagerManifest } from '../../builder/kit/images.ts'
import { scratch } from '../support/scratch.ts'
import { never } from './_kit.ts'

const write = async (root: string, files: Readonly<Record<string, string>>): Promise<string> => {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
  return root
}

const manifestOf = (name: string, file: string): string =>
  JSON.stringify({
    imager: { devices: [] },
    os_list: [
      { name, url: `file:///home/a%20b/images/${file}`, bmap_url: `file:///home/a%20b/images/${name}.img.bmap` },
    ],
  })

const pathsOf = async (t: ExecutionContext, files: Readonly<Record<string, string>>, outputs = ['pub']) => {
  const project = projectAt(await write(await scratch(t), files))
  return findImages(project, outputs, never)
}

test('of an image the smallest form is carried, with what lies beside it', async (t) => {
  const carried = await pathsOf(t, {
    'images/pub.img': 'image',
    'images/pub.img.xz': 'xz',
    'images/pub.img.zst': 'zst',
    'images/pub.img.bmap': 'map',
    'images/pub.report.html': 'report',
    'images/pub-vm-amd64.img': 'another',
    'images/pub.asar': 'a bundle',
  })
  t.deepEqual(
    carried.files.map(({ path, sha256 }) => [path, sha256]),
    [
      ['images/pub.img.xz', hashBytes('xz')],
      ['images/pub.img.bmap', hashBytes('map')],
      ['images/pub.report.html', hashBytes('report')],
    ],
  )
  t.deepEqual(carried.without, [])
})

test('profiles without an image are named', async (t) => {
  t.deepEqual((await pathsOf(t, { 'images/pub.img': 'image' }, ['mesh', 'pub'])).without, ['mesh'])
  t.deepEqual((await pathsOf(t, {})).without, ['pub'])
})

test('a list for Imager is carried without addresses, and gets them where the stick is', async (t) => {
  const carried = await pathsOf(t, {
    'images/pub.img.xz': 'xz',
    'images/pub.rpi-imager-manifest': manifestOf('pub', 'pub.img.xz'),
  })
  t.deepEqual(
    carried.texts.map(({ path }) => path),
    ['images/pub.imager.json'],
  )
  t.notRegex(carried.texts[0]?.bytes ?? '', /file:|home/)
  const stick = await write(join(await scratch(t), 'my stick'), {
    ...Object.fromEntries(carried.texts.map(({ path, bytes }) => [path, bytes])),
    'images/mesh.imager.json': manifestOf('mesh', 'x').replaceAll(/file:[^"]*\//g, ''),
  })
  const { os_list: list } = JSON.parse((await renderImagerManifest(stick)) ?? '{}') as {
    os_list: { url: string; bmap_url: string }[]
  }
  const base = `file://${stick.replaceAll(' ', '%20')}/images`
  t.deepEqual(
    list.map(({ url, bmap_url: map }) => [url, map]),
    [
      [`${base}/x`, `${base}/mesh.img.bmap`],
      [`${base}/pub.img.xz`, `${base}/pub.img.bmap`],
    ],
  )
})

test('a list for a form of the image that is not carried is left out', async (t) => {
  const carried = await pathsOf(t, {
    'images/pub.img': 'image',
    'images/pub.img.zst': 'zst',
    'images/pub.rpi-imager-manifest': manifestOf('pub', 'pub.img'),
  })
  t.deepEqual(carried.texts, [])
})

test('a stick without images has no list', async (t) => {
  t.is(await renderImagerManifest(await scratch(t)), undefined)
})

test('the image of a profile is found on a stick in whatever form; a link is none', async (t) => {
  const stick = await write(await scratch(t), { 'images/pub.img.zst': '', 'images/mesh.img': '' })
  await symlink('/etc/passwd', join(stick, 'images/hut.img'))
  t.is(await imageOn(stick, 'pub'), join(stick, 'images/pub.img.zst'))
  t.is(await imageOn(stick, 'mesh'), join(stick, 'images/mesh.img'))
  t.is(await imageOn(stick, 'hut'), undefined)
})
