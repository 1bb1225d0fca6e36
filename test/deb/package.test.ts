import { chmod, readdir, utimes } from 'node:fs/promises'
import { basename, join } from 'node:path'
import test from 'ava'
import { hashFile } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { stageYaml } from '../profile/_project.ts'
import { build, everything, makeCheckout } from './_package.ts'

test('the same content gives the same bytes, in another folder, with other modes and times', async (t) => {
  const first = await build(await makeCheckout(t))
  const other = await makeCheckout(t)
  await chmod(join(other.overlays, 'all/etc'), 0o700)
  await chmod(join(other.overlays, 'all/etc/all.conf'), 0o600)
  await chmod(join(other.overlays, 'all/usr/bin/all'), 0o700)
  await utimes(join(other.stages, 'all/checks/up'), 1, 2)
  const second = await build(other)
  t.not(first.path, second.path)
  t.is(await hashFile(first.path), first.sha256)
  t.is(await hashFile(second.path), first.sha256)
})

test('a setting changes the package', async (t) => {
  const project = await makeCheckout(t)
  const { sha256 } = await build(project)
  t.not((await build(project, { 'max-peers': 4 })).sha256, sha256)
})

test('the name says version and architecture, and nothing else is left beside it', async (t) => {
  const project = await makeCheckout(t)
  const built = await build(project)
  t.is(basename(built.path), 'pibake-all_1.0_arm64.deb')
  t.deepEqual(await readdir(join(project.root, 'packages')), ['pibake-all_1.0_arm64.deb'])
  const plain = await build(await makeCheckout(t, { 'stages/plain/stage.yaml': stageYaml('plain') }))
  t.is(basename(plain.path), 'pibake-plain_1.0_all.deb')
})

const refuses = test.macro(async (t, path: string, message: RegExp) => {
  const project = await makeCheckout(t, { ...everything, [`overlays/all/${path}`]: 'x' })
  const error = await t.throwsAsync(build(project), { instanceOf: PibakeError, message })
  t.is(error?.code, 'CONFIG_INVALID')
  t.deepEqual(await readdir(join(project.root, 'packages')).catch(() => []), [])
})

test(
  'refuses a file that pibake generates',
  refuses,
  'etc/pibake/all.conf',
  /`all` carries `\/etc\/pibake\/all.conf` twice/,
)
test('refuses a file below a merged folder', refuses, 'lib/x', /`all` carries `\/lib\/x`, below a link/)
