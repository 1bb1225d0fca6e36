import test from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import { bringDebs, debUrls, snapshotStamp } from '../../builder/fetch/locked-debs.ts'
import type { LockedDeb } from '../../builder/lock/schema.ts'
import { fakeSource } from './_source.ts'

const deb = (name: string, archive: LockedDeb['archive'] = 'main'): LockedDeb => ({
  name,
  version: '1',
  architecture: 'arm64',
  path: `pool/${name}.deb`,
  archive,
  sizeBytes: 1,
  sha256: hashBytes(name),
})
const time = '2026-09-12T07:55:41.000Z'

test('a moment as snapshot services spell it', (t) => {
  t.is(snapshotStamp(Date.parse(time)), '20260912T075541Z')
})

test('addresses: the mirror of the archive, then snapshots around the time of the lock', (t) => {
  const mirrors = { main: 'http://m/debian', security: 'http://m/sec', snapshot: 'http://s/archive' }
  t.deepEqual(debUrls(deb('a'), mirrors, time), [
    'http://m/debian/pool/a.deb',
    'http://s/archive/debian/20260912T195541Z/pool/a.deb',
    'http://s/archive/debian/20260912T075541Z/pool/a.deb',
  ])
  t.is(debUrls(deb('a', 'security'), mirrors, time)[0], 'http://m/sec/pool/a.deb')
  t.deepEqual(debUrls(deb('a', 'security'), { main: 'http://m/debian', security: undefined }, time), [])
})

test('an archive of a base image has an address of its own, and no snapshots', (t) => {
  const mirrors = { main: 'http://m/debian', security: undefined, snapshot: 'http://s/archive' }
  t.deepEqual(debUrls(deb('a', 'raspi'), { ...mirrors, others: { raspi: 'http://r/debian' } }, time), [
    'http://r/debian/pool/a.deb',
  ])
  t.deepEqual(debUrls(deb('a', 'raspi'), mirrors, time), [])
})

test('a full cache asks for no mirror', async (t) => {
  const { source, calls } = fakeSource({ cached: [hashBytes('a')] })
  const gone = await bringDebs([deb('a'), deb('a')], {
    source,
    time,
    mirrors: () => Promise.reject(new Error('asked')),
  })
  t.deepEqual(gone, [])
  t.deepEqual(calls.brought, [])
})

test('only what is absent is brought, once, and what is gone comes back', async (t) => {
  const { source, calls } = fakeSource({ cached: [hashBytes('a')], gone: [hashBytes('c')] })
  const gone = await bringDebs([deb('a'), deb('b'), deb('b'), deb('c')], {
    source,
    time,
    mirrors: async () => ({ main: 'http://m/debian', security: undefined }),
  })
  t.deepEqual(gone, [deb('c')])
  t.deepEqual(calls.brought, ['b 1', 'c 1'])
})
