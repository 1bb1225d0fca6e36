import { mkdir, readFile, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { kitPaths } from '../../builder/kit/manifest.ts'
import { openKit } from '../../builder/kit/open.ts'
import { verifyKit } from '../../builder/kit/verify.ts'
import { scratch } from '../support/scratch.ts'
import { contents, makeKey, makeStick, never, planOf, snapshot, write } from './_kit.ts'

const check = (folder: string) => verifyKit(folder, { emit: () => {}, signal: never })

const image = 'images/pub.img.xz'
const [nginx = '', babeld = ''] = Object.keys(contents).filter((path) => path.startsWith('pool/'))

test('a kit is its files and what describes them, and nothing else', async (t) => {
  const key = await makeKey(t)
  const plan = await planOf(t, key)
  const folder = await makeStick(t, key, plan)
  t.deepEqual(await snapshot(folder), {
    ...contents,
    [kitPaths.key]: key.publicKey,
    ...Object.fromEntries(plan.texts),
  })
  const { kit, sizeBytes, strangers } = await check(folder)
  t.is(kit.fingerprint, key.fingerprint)
  t.deepEqual(strangers, [])
  t.is(
    sizeBytes,
    plan.files.reduce((sum, file) => sum + file.sizeBytes, 0),
  )
})

test('a second writing copies nothing, and a file that did not change is not touched', async (t) => {
  const key = await makeKey(t)
  const plan = await planOf(t, key)
  const folder = await makeStick(t, key, plan)
  await utimes(join(folder, nginx), 1, 1)
  const { copied, kept, removed } = await write(folder, plan)
  t.deepEqual([copied.files, kept.files, removed], [0, plan.files.length, 0])
  t.is((await stat(join(folder, nginx))).mtimeMs, 1000)
})

test('an update copies what is new, replaces what changed, and removes what is of no use', async (t) => {
  const key = await makeKey(t)
  const folder = await makeStick(t, key)
  const { [babeld]: _gone, ...rest } = contents
  const after = { ...rest, [nginx]: 'another web server', 'pool/main/n/nano/nano_8_arm64.deb': 'an editor' }
  const { copied, removed } = await write(folder, await planOf(t, key, after))
  t.deepEqual([copied.files, removed], [2, 1])
  const files = await snapshot(folder)
  t.is(files[nginx], 'another web server')
  t.false(babeld in files)
  await t.notThrowsAsync(stat(join(folder, 'pool/main/n/nano')))
  await t.throwsAsync(stat(join(folder, 'pool/main/b')))
  await t.notThrowsAsync(check(folder))
})

test('an image that is no longer of the kit goes, one that somebody put beside it stays', async (t) => {
  const key = await makeKey(t)
  const folder = await makeStick(t, key)
  await writeFile(join(folder, 'images/mine.img'), 'mine')
  const { [image]: _gone, ...rest } = contents
  t.is((await write(folder, await planOf(t, key, rest))).removed, 1)
  const files = await snapshot(folder)
  t.false(image in files)
  t.is(files['images/mine.img'], 'mine')
})

test('nothing is removed by way of a link that lies on the stick', async (t) => {
  const key = await makeKey(t)
  const folder = await makeStick(t, key)
  const elsewhere = await scratch(t)
  await writeFile(join(elsewhere, 'pub.img.xz'), 'precious')
  await rm(join(folder, 'images'), { recursive: true })
  await symlink(elsewhere, join(folder, 'images'))
  const { [image]: _gone, ...rest } = contents
  const error = await t.throwsAsync(write(folder, await planOf(t, key, rest)), { instanceOf: PibakeError })
  t.is(error?.code, 'KIT_INVALID')
  t.deepEqual(await snapshot(elsewhere), { 'pub.img.xz': 'precious' })
})

test('a file of equal size and other content is replaced', async (t) => {
  const key = await makeKey(t)
  const folder = await makeStick(t, key)
  await write(folder, await planOf(t, key, { ...contents, [babeld]: 'A ROUTER' }))
  t.is((await snapshot(folder))[babeld], 'A ROUTER')
})

test('one that was interrupted is not finished, keeps what it has, and is finished by the next', async (t) => {
  const key = await makeKey(t)
  const plan = await planOf(t, key)
  const folder = await scratch(t)
  const controller = new AbortController()
  // Four are copied at a time: when the fifth begins, one has its name.
  const begun = new Set<string>()
  const onProgress = ({ note }: { note: string }): void => {
    begun.add(note)
    if (begun.size === 5) controller.abort(new Error('stopped'))
  }
  await t.throwsAsync(write(folder, plan, { onProgress, signal: controller.signal }), { message: 'stopped' })
  const error = await t.throwsAsync(openKit(folder), { instanceOf: PibakeError })
  t.is(error?.code, 'KIT_INVALID')
  t.regex(error?.message ?? '', /is not finished/)
  await t.throwsAsync(stat(join(folder, kitPaths.manifest)))
  const { kept, copied } = await write(folder, plan)
  t.true(kept.files > 0)
  t.is(kept.files + copied.files, plan.files.length)
  await t.notThrowsAsync(check(folder))
  t.false(kitPaths.unfinished in (await snapshot(folder)))
})

test('an update that was interrupted leaves no kit that passes for whole', async (t) => {
  const key = await makeKey(t)
  const folder = await makeStick(t, key)
  const controller = new AbortController()
  const after = await planOf(t, key, { ...contents, [babeld]: 'a newer router' })
  const onProgress = () => controller.abort(new Error('stopped'))
  await t.throwsAsync(write(folder, after, { onProgress, signal: controller.signal }))
  await t.throwsAsync(check(folder), { message: /is not finished/ })
  await write(folder, after)
  await t.notThrowsAsync(check(folder))
})

test('after an interruption what is there is read, not trusted', async (t) => {
  const key = await makeKey(t)
  const plan = await planOf(t, key)
  const folder = await makeStick(t, key, plan)
  await writeFile(join(folder, kitPaths.unfinished), '')
  await writeFile(join(folder, babeld), 'x ROUTER')
  const { copied } = await write(folder, plan)
  t.is(copied.files, 1)
  await t.notThrowsAsync(check(folder))
})

test('with `recheck` what rotted is found and mended', async (t) => {
  const key = await makeKey(t)
  const plan = await planOf(t, key)
  const folder = await makeStick(t, key, plan)
  await writeFile(join(folder, babeld), 'x ROUTER')
  t.is((await write(folder, plan)).copied.files, 0)
  await t.throwsAsync(check(folder), { message: /babeld.* has another content/ })
  t.is((await write(folder, plan, { recheck: true })).copied.files, 1)
  await t.notThrowsAsync(check(folder))
})

test('a source that is not what it should be never gets its name on the stick', async (t) => {
  const key = await makeKey(t)
  const plan = await planOf(t, key)
  const source = plan.files.find(({ path }) => path === nginx)?.source ?? ''
  await writeFile(source, 'A web server')
  const folder = await scratch(t)
  const error = await t.throwsAsync(write(folder, plan), { instanceOf: PibakeError })
  t.is(error?.code, 'CACHE_CORRUPT')
  await t.throwsAsync(stat(join(folder, nginx)))
  await t.throwsAsync(openKit(folder), { message: /is not finished/ })
})

test('a source that cannot be read is named, not the stick', async (t) => {
  const plan = await planOf(t, await makeKey(t))
  await rm(plan.files.find(({ path }) => path === nginx)?.source ?? '')
  const error = await t.throwsAsync(write(await scratch(t), plan), { instanceOf: PibakeError })
  t.is(error?.code, 'CACHE_CORRUPT')
  t.regex(error?.message ?? '', /nginx.* cannot be read .*ENOENT/)
})

test('a folder with something else in it is left alone', async (t) => {
  const key = await makeKey(t)
  const folder = await scratch(t)
  await mkdir(join(folder, 'docs'))
  await writeFile(join(folder, 'docs/thesis.txt'), 'years of work')
  const error = await t.throwsAsync(write(folder, await planOf(t, key)), { instanceOf: PibakeError })
  t.is(error?.code, 'USAGE')
  t.deepEqual(error?.details, ['docs'])
  t.deepEqual(await snapshot(folder), { 'docs/thesis.txt': 'years of work' })
})

test('what people keep beside a kit stays', async (t) => {
  const key = await makeKey(t)
  const folder = await scratch(t)
  await mkdir(join(folder, 'photos'))
  await writeFile(join(folder, 'photos/1.jpg'), 'a picture')
  await write(folder, await planOf(t, key))
  await write(folder, await planOf(t, key, { pibake: 'only' }))
  t.is((await snapshot(folder))['photos/1.jpg'], 'a picture')
})

test('nothing is written by way of a link that lies on the stick', async (t) => {
  const key = await makeKey(t)
  const elsewhere = await scratch(t)
  const plan = await planOf(t, key)
  for (const place of ['pool', 'pool/main', nginx, kitPaths.unfinished, 'kit/incoming', 'images', image]) {
    const folder = await makeStick(t, key, plan)
    await rm(join(folder, place), { recursive: true, force: true })
    await symlink(elsewhere, join(folder, place))
    await write(folder, plan, { recheck: true }).catch((error: unknown) => {
      t.true(error instanceof PibakeError, `${place}: ${String(error)}`)
    })
    t.deepEqual(await snapshot(elsewhere), {}, place)
  }
})

for (const [what, damage, says] of [
  ['a file is gone', (folder: string) => rm(join(folder, nginx)), /nginx.* is missing/],
  ['a file is cut off', (folder: string) => truncate(join(folder, nginx), 3), /nginx.* has 3 bytes in place of 12/],
  [
    'a bit has changed',
    (folder: string) => writeFile(join(folder, nginx), 'a web serVer'),
    /nginx.* has another content/,
  ],
  ['the sums are gone', (folder: string) => rm(join(folder, kitPaths.sums)), /has no `SHA256SUMS`/],
  ['the signature is gone', (folder: string) => rm(join(folder, kitPaths.signature)), /has no `SHA256SUMS\.asc`/],
  ['the marker is there', (folder: string) => writeFile(join(folder, kitPaths.unfinished), ''), /is not finished/],
] as const) {
  test(`a kit is not whole when ${what}`, async (t) => {
    const folder = await makeStick(t, await makeKey(t))
    await damage(folder)
    const error = await t.throwsAsync(check(folder), { instanceOf: PibakeError })
    t.is(error?.code, 'KIT_INVALID')
    t.regex(error?.message ?? '', says)
  })
}

test('whoever changes file and sums alike has not signed them', async (t) => {
  const key = await makeKey(t)
  const folder = await makeStick(t, key)
  const forged = await planOf(t, key, { ...contents, pibake: '#!/bin/sh\nrm -rf /\n' })
  await writeFile(join(folder, 'pibake'), '#!/bin/sh\nrm -rf /\n')
  for (const path of [kitPaths.manifest, kitPaths.sums])
    await writeFile(join(folder, path), forged.texts.get(path) ?? '')
  const error = await t.throwsAsync(check(folder), { instanceOf: PibakeError })
  t.regex(error?.message ?? '', /signature does not hold/)
})

test('a manifest that says other than the signed sums is refused', async (t) => {
  const folder = await makeStick(t, await makeKey(t))
  const path = join(folder, kitPaths.manifest)
  await writeFile(path, (await readFile(path, 'utf8')).replace('"pub"', '"pab"'))
  await t.throwsAsync(check(folder), { message: /is not what `SHA256SUMS` says/ })
})

test('a kit of another key is told from one of ours', async (t) => {
  const [ours, theirs] = [await makeKey(t), await makeKey(t)]
  const folder = await makeStick(t, theirs)
  const verify = (expected: string) => verifyKit(folder, { expected, emit: () => {}, signal: never })
  await t.throwsAsync(verify(ours.fingerprint), { message: /is signed by another key/ })
  await t.notThrowsAsync(verify(theirs.fingerprint))
})

test('what lies in the folders of a kit and is not of it is named', async (t) => {
  const folder = await makeStick(t, await makeKey(t))
  await writeFile(join(folder, 'pool/main/extra.deb'), '')
  t.deepEqual((await check(folder)).strangers, ['pool/main/extra.deb'])
})
