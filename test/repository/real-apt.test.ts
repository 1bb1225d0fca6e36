import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { hashFile } from '../../builder/core/digest.ts'
import type { RecordedDeb } from '../../builder/repository/record.ts'
import { makeCheckout } from '../support/checkout.ts'
import { freshApt } from '../support/fresh-apt.ts'
import { scratch } from '../support/scratch.ts'
import { writeDeb } from './_debs.ts'

const test = anyTest.serial as TestFn

test('packages of stages and of others in one repository, which apt accepts', async (t) => {
  t.timeout(300_000)
  const checkout = await makeCheckout()
  try {
    const root = await scratch(t)
    const folder = join(root, 'packages')
    await writeDeb(join(root, 'friends/mill.deb'), 'a', ['mill', '1:1.0', 'all', ['Depends: pibake-portal']])
    const key = ['--key', join(root, 'key.asc')]
    const add = ['--add', join(root, 'friends')]
    const run = await checkout.runJson([
      'deb',
      'ssb-pub',
      'portal',
      '--profile',
      'pub',
      '--into',
      folder,
      ...add,
      ...key,
    ])
    t.is(run.exitCode, 0, run.stderr.slice(-3000))
    const packages = run.data.packages as RecordedDeb[]
    const from = new Map(packages.map((deb) => [deb.name, deb.from]))
    t.is(from.get('mill'), 'friends')
    for (const name of ['pibake-ssb-pub', 'pibake-portal', 'pibake-first-boot'])
      t.is(from.get(name), 'stages of this checkout', name)
    t.false(from.has('pibake-apt-mirror'), 'what it does not need is not built')
    const source = await readFile(join(folder, 'pibake.sources'), 'utf8')
    t.true(source.includes(`\nURIs: file:${folder}\n`))
    const { work, apt } = await freshApt(t, { architecture: 'arm64', source, readOnly: [folder] })
    await apt(['update', '--error-on=any'])
    for (const name of ['pibake-ssb-pub', 'mill']) {
      const deb = packages.find((item) => item.name === name)
      await apt(['download', name])
      const file = `${name}_${deb?.version.replace(':', '%3a')}_${deb?.architecture}.deb`
      t.is(String(await hashFile(join(work, file))), String(deb?.sha256))
    }
    // What they need of Debian is in no source of this apt.
    const install = ['install', '--simulate', 'pibake-ssb-pub', 'mill']
    await t.throwsAsync(apt(install), { code: 'COMMAND_FAILED' })

    const again = await checkout.runJson(['deb', 'ssb-pub', 'portal', '--profile', 'pub', '--into', folder, ...key])
    t.is(again.data.added, 0)
    t.is((again.data.packages as unknown[]).length, packages.length)

    const whole = join(root, 'whole')
    const stages = ['ssb-pub', 'portal', '--profile', 'pub', '--with-debian']
    const all = await checkout.runJson(['deb', ...stages, '--into', whole, ...add, ...key])
    t.is(all.exitCode, 0, all.stderr.slice(-3000))
    const sources = await readFile(join(whole, 'pibake.sources'), 'utf8')
    const alone = await freshApt(t, { architecture: 'arm64', source: sources, readOnly: [whole] })
    await alone.apt(['update', '--error-on=any'])
    const { stdout } = await alone.apt(install)
    for (const name of ['pibake-ssb-pub', 'pibake-portal', 'mill', 'nginx', 'nodejs', 'libc6'])
      t.regex(stdout, new RegExp(`^Inst ${name} `, 'm'))

    const other = await writeDeb(join(root, 'others/mill.deb'), 'b', ['mill', '1:1.0'])
    const refused = await checkout.runJson(['deb', '--into', folder, '--add', other, ...key])
    t.is(refused.exitCode, 2)
    t.is(refused.failure?.code, 'CONFIG_INVALID')
    t.regex(String(refused.failure?.details), /mill 1:1\.0 \(all\): from `friends` .* from `mill\.deb` /)

    await rm(join(folder, 'dists/trixie/InRelease'))
    await rm(join(folder, 'dists/trixie/Release.gpg'))
    const unsigned = await freshApt(t, { architecture: 'arm64', source, readOnly: [folder] })
    await t.throwsAsync(unsigned.apt(['update', '--error-on=any']), { code: 'COMMAND_FAILED' })
  } finally {
    await checkout.remove()
  }
})
