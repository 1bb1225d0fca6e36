import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { dropLayer, layerRoot, listLayers, readLayer } from '../../builder/cache/layers.ts'
import { hashBytes, type Sha256 } from '../../builder/core/digest.ts'
import { scratch } from '../support/scratch.ts'

const key = hashBytes('key')
const record = { key, step: 'ssh', digest: hashBytes('content') }

const write = async (cache: string, of: Sha256, text: string): Promise<void> => {
  await mkdir(layerRoot(cache, of), { recursive: true })
  await writeFile(join(layerRoot(cache, of), '..', 'layer.json'), text)
}

test('a sealed layer is read, listed and dropped', async (t) => {
  const cache = await scratch(t)
  t.is(await readLayer(cache, key), undefined)
  t.deepEqual(await listLayers(cache), [])
  await write(cache, key, JSON.stringify(record))
  t.deepEqual(await readLayer(cache, key), record)
  t.deepEqual(await listLayers(cache), [key])
  await dropLayer(cache, key)
  t.is(await readLayer(cache, key), undefined)
  t.deepEqual(await listLayers(cache), [])
  t.deepEqual(await readdir(cache), ['layers'])
  await t.notThrowsAsync(dropLayer(cache, key))
})

const unusable: Record<string, string> = {
  'cut short': '{"key": "',
  empty: '',
  "another layer's": JSON.stringify({ ...record, key: hashBytes('other') }),
  'without a digest': JSON.stringify({ key, step: 'ssh' }),
}

for (const [what, text] of Object.entries(unusable)) {
  test(`a layer whose record is ${what} counts as none`, async (t) => {
    const cache = await scratch(t)
    await write(cache, key, text)
    t.is(await readLayer(cache, key), undefined)
  })
}
