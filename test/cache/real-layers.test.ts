import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { layerRoot, readLayer, sealLayer, verifyLayer } from '../../builder/cache/layers.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'

const isRoot = process.getuid?.() === 0
const ifRoot = isRoot ? test : test.skip
const key = hashBytes('key')

/** Make a finished folder and seal it. */
const seal = async (cache: string, content = 'content') => {
  const folder = join(cache, 'work', content)
  await mkdir(join(folder, 'upper', 'etc'), { recursive: true })
  await mkdir(join(folder, 'work'))
  await writeFile(join(folder, 'upper', 'etc', 'file'), content)
  for (const path of ['etc/file', 'etc', '.']) await utimes(join(folder, 'upper', path), 1000, 1000)
  return sealLayer({ tools, cache, folder, key, step: 'ssh' })
}

ifRoot('a sealed layer is whole, and passes verification', async (t) => {
  const cache = await scratch(t)
  const record = await seal(cache)
  t.deepEqual(await readLayer(cache, key), record)
  t.deepEqual((await readdir(join(cache, 'layers', key))).sort(), ['layer.json', 'upper'])
  await t.notThrowsAsync(verifyLayer(tools, cache, record))
})

ifRoot('equal content has equal digests, wherever it lies', async (t) => {
  const [one, other] = [await seal(await scratch(t)), await seal(await scratch(t))]
  t.is(one.digest, other.digest)
  t.not((await seal(await scratch(t), 'else')).digest, one.digest)
})

ifRoot('when another bake has sealed the key meanwhile, its layer stays', async (t) => {
  const cache = await scratch(t)
  const first = await seal(cache)
  await seal(cache, 'another')
  t.deepEqual(await readLayer(cache, key), first)
  t.is(await readFile(join(layerRoot(cache, key), 'etc/file'), 'utf8'), 'content')
  t.deepEqual(await readdir(join(cache, 'work')), [])
})

ifRoot('a folder without a usable record gives way', async (t) => {
  const cache = await scratch(t)
  await mkdir(join(layerRoot(cache, key), 'left'), { recursive: true })
  const record = await seal(cache)
  t.deepEqual(await readLayer(cache, key), record)
  t.deepEqual(await readdir(layerRoot(cache, key)), ['etc'])
})

ifRoot('a changed layer is named and dropped', async (t) => {
  const cache = await scratch(t)
  const record = await seal(cache)
  const path = join(layerRoot(cache, key), 'etc/file')
  await writeFile(path, 'Content')
  await utimes(path, 1000, 1000)
  const error = await t.throwsAsync(verifyLayer(tools, cache, record), { code: 'CACHE_CORRUPT' })
  t.regex(error?.message ?? '', /the layer of step `ssh`/)
  t.is(await readLayer(cache, key), undefined)
})
