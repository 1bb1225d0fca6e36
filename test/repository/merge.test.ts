import { join } from 'node:path'
import test from 'ava'
import { mergeDebs, ownName } from '../../builder/repository/merge.ts'
import { newRecord } from '../../builder/repository/record.ts'
import { scratch } from '../support/scratch.ts'
import { incoming, writeDeb } from './_debs.ts'

const none = { architectures: [], timeSeconds: 0 }

test('packages of several groups come together, each with who brought it', async (t) => {
  const folder = await scratch(t)
  const mill = await writeDeb(join(folder, 'mill.deb'), 'a', ['mill', '1.0', 'arm64'])
  const pond = await writeDeb(join(folder, 'pond.deb'), 'b', ['pond', '2:1.0', 'all'])
  const merge = mergeDebs(newRecord('trixie'), [await incoming(mill, 'north', 50), await incoming(pond, 'south', 70)], {
    architectures: ['amd64'],
    timeSeconds: 60,
  })
  t.deepEqual(
    merge.record.packages.map(({ name, file, from }) => [name, file, from]),
    [
      ['mill', 'pool/main/m/mill/mill_1.0_arm64.deb', 'north'],
      ['pond', 'pool/main/p/pond/pond_2%3a1.0_all.deb', 'south'],
    ],
  )
  t.deepEqual(merge.record.architectures, ['amd64', 'arm64'])
  t.is(merge.record.timeSeconds, 70)
  t.deepEqual(merge.shared, [])
})

test('two different files of one version are refused, with who brought them', async (t) => {
  const folder = await scratch(t)
  const one = await writeDeb(join(folder, 'one.deb'), 'a', ['mill', '1.0'])
  const other = await writeDeb(join(folder, 'other.deb'), 'b', ['mill', '1.0'])
  const there = mergeDebs(newRecord('trixie'), [await incoming(one, 'north')], none).record
  for (const debs of [
    { record: there, incoming: [await incoming(other, 'south')] },
    { record: newRecord('trixie'), incoming: [await incoming(one, 'north'), await incoming(other, 'south')] },
    { record: there, incoming: [await incoming(other, 'north')] },
    { record: there, incoming: [await incoming(other, ownName)] },
  ]) {
    const error = t.throws(() => mergeDebs(debs.record, debs.incoming, none), { code: 'CONFIG_INVALID' })
    t.regex(String(Object(error).details), /^mill 1\.0 \(all\): from `north` [0-9a-f]{64}, from `/)
  }
})

test('the same file again changes nothing, whoever brings it', async (t) => {
  const folder = await scratch(t)
  const one = await writeDeb(join(folder, 'one.deb'), 'a', ['mill', '1.0'])
  const first = mergeDebs(newRecord('trixie'), [await incoming(one, 'north')], none)
  const second = mergeDebs(first.record, [await incoming(one, 'south')], none)
  t.deepEqual(second.record, first.record)
  t.deepEqual(second.added, [])
})

test('what this checkout built gives way to what it builds now', async (t) => {
  const folder = await scratch(t)
  const one = await writeDeb(join(folder, 'one.deb'), 'a', ['pibake-x', '1.0'])
  const other = await writeDeb(join(folder, 'other.deb'), 'b', ['pibake-x', '1.0'])
  const first = mergeDebs(newRecord('trixie'), [await incoming(one, ownName)], none)
  const second = mergeDebs(first.record, [await incoming(other, ownName)], none)
  t.deepEqual(
    second.replaced.map(({ name }) => name),
    ['pibake-x'],
  )
  t.is(second.record.packages.length, 1)
  t.is(second.record.packages[0]?.sha256, (await incoming(other, '')).sha256)
})

test('a name that several bring in several versions is told', async (t) => {
  const folder = await scratch(t)
  const one = await writeDeb(join(folder, 'one.deb'), 'a', ['mill', '1.0'])
  const other = await writeDeb(join(folder, 'other.deb'), 'b', ['mill', '1.1'])
  const { shared } = mergeDebs(
    newRecord('trixie'),
    [await incoming(one, 'north'), await incoming(other, 'south')],
    none,
  )
  t.deepEqual(shared, [
    {
      name: 'mill',
      brought: [
        { from: 'north', versions: ['1.0'] },
        { from: 'south', versions: ['1.1'] },
      ],
    },
  ])
})

test('packages for every architecture alone are listed for a Pi', async (t) => {
  const folder = await scratch(t)
  const one = await writeDeb(join(folder, 'one.deb'), 'a', ['mill', '1.0', 'all'])
  t.deepEqual(mergeDebs(newRecord('trixie'), [await incoming(one, 'north')], none).record.architectures, ['arm64'])
})
