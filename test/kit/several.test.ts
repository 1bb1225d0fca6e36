import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { planCopy } from '../../builder/kit/copy.ts'
import { kitPaths } from '../../builder/kit/manifest.ts'
import { kitFailure, writeKits } from '../../builder/kit/several.ts'
import { folderTarget } from '../../builder/kit/target.ts'
import { verifyKit } from '../../builder/kit/verify.ts'
import { scratch } from '../support/scratch.ts'
import { makeKey, makeStick, never, planOf, snapshot } from './_kit.ts'

const quiet = { recheck: false, emit: () => {}, signal: never }
const check = (folder: string) => verifyKit(folder, { emit: () => {}, signal: never })

test('several are written at once, and one that fails spoils no other', async (t) => {
  const key = await makeKey(t)
  const folder = await scratch(t)
  const [good, taken, also] = ['a', 'b', 'c'].map((name) => join(folder, name))
  if (good === undefined || taken === undefined || also === undefined) throw new Error('three')
  await mkdir(join(taken, 'pool'), { recursive: true })
  await writeFile(join(taken, 'pool/mine'), '')
  const events: PibakeEvent[] = []
  const emit = (event: PibakeEvent): void => void events.push(event)
  const results = await writeKits([good, taken, also].map(folderTarget), await planOf(t, key), { ...quiet, emit })
  t.deepEqual(
    results.map(({ outcome }) => outcome),
    ['done', 'failed', 'done'],
  )
  await check(good)
  await check(also)
  const failure = kitFailure(results)
  t.true(failure instanceof PibakeError && failure.code === 'KIT_FAILED')
  t.regex(String(failure), /1 of 3 sticks failed; the others are good/)
  const ends = events.flatMap((event) => (event.type === 'step-end' ? [[event.id, event.outcome]] : []))
  t.deepEqual(ends.sort(), [
    [`kit:${good}`, 'done'],
    [`kit:${taken}`, 'failed'],
    [`kit:${also}`, 'done'],
  ])
  const progress = events.filter((event) => event.type === 'step-progress' && event.id === `kit:${good}`)
  t.true(progress.length > 0)
})

test('of one stick, its own failure is told; of good ones, none', async (t) => {
  const key = await makeKey(t)
  const folder = await scratch(t)
  await writeFile(join(folder, 'pibake'), 'mine')
  const results = await writeKits([folderTarget(folder)], await planOf(t, key), quiet)
  const failure = kitFailure(results)
  t.true(failure instanceof PibakeError && failure.code === 'USAGE')
  t.is(kitFailure(await writeKits([folderTarget(await scratch(t))], await planOf(t, key), quiet)), undefined)
})

test('a copy of a copy is the same, bytes and signature', async (t) => {
  const key = await makeKey(t)
  const first = await makeStick(t, key)
  const [second, third] = [await scratch(t), await scratch(t)]
  await writeKits([folderTarget(second)], await planCopy(first), quiet)
  await writeKits([folderTarget(third)], await planCopy(second), quiet)
  t.deepEqual(await snapshot(third), await snapshot(first))
  t.is((await check(third)).kit.fingerprint, key.fingerprint)
})

test('a damaged kit gives no copy that passes for whole', async (t) => {
  const first = await makeStick(t, await makeKey(t))
  await writeFile(join(first, 'pibake'), '#!/bin/xx\n')
  const second = await scratch(t)
  const failure = kitFailure(await writeKits([folderTarget(second)], await planCopy(first), quiet))
  t.true(failure instanceof PibakeError && failure.code === 'CACHE_CORRUPT')
  await t.throwsAsync(check(second), { message: /is not finished/ })
})

test('a kit that is not finished is not copied', async (t) => {
  const first = await makeStick(t, await makeKey(t))
  await writeFile(join(first, kitPaths.unfinished), '')
  await t.throwsAsync(planCopy(first), { message: /is not finished/ })
})

// Root may write everywhere.
const ifNotRoot = process.getuid?.() === 0 ? test.skip : test

ifNotRoot('a folder that cannot be written says so', async (t) => {
  const folder = await scratch(t)
  await chmod(folder, 0o500)
  const failure = kitFailure(await writeKits([folderTarget(folder)], await planOf(t, await makeKey(t)), quiet))
  t.true(failure instanceof PibakeError && failure.code === 'USAGE')
})
