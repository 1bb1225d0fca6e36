import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { canRunGuest } from '../../builder/boot/accelerator.ts'
import { hashFile } from '../../builder/core/digest.ts'
import { readReport } from '../../builder/page/report-file.ts'
import { tools } from '../support/tools.ts'
import { spawnPibake } from './_command.ts'
import { bakedImage, bootFolder, noImage, processesWith } from './_image.ts'

const realTest = noImage === undefined ? test.serial : test.serial.skip
const title = (name: string): string => (noImage === undefined ? name : `${name} (${noImage})`)

test.serial('the probe really starts a guest, here by emulation', async (t) => {
  t.timeout(60_000)
  const folder = await mkdtemp(join(tmpdir(), 'pibake-probe-'))
  for (const board of ['virt', 'uefi-amd64'] as const) {
    t.true(await canRunGuest(tools, { board, accelerator: 'tcg' }, { folder }), board)
  }
  await rm(folder, { recursive: true })
})

realTest(title('the image of pub boots and passes its checks, and is not changed by that'), async (t) => {
  t.timeout(2_400_000)
  const image = await bakedImage()
  const before = await hashFile(image)
  const folder = await bootFolder(t)
  const [tap, junit] = [join(folder, 'result.tap'), join(folder, 'result.xml')]
  const { ended } = spawnPibake(['test', image, '--tap', tap, '--junit', junit])
  const { exitCode, stdout, stderr } = await ended

  t.is(exitCode, 0, `${stdout}\n${stderr}`)
  const [, total] = /^all (\d+) checks passed; booted in .+ on virt$/m.exec(stdout) ?? []
  t.true(Number(total) >= 25, stdout)
  for (const stage of ['system', 'apt-mirror', 'first-boot', 'portal', 'ssb-pub', 'ssh', 'yggdrasil']) {
    t.regex(stdout, new RegExp(`^ok +${stage} `, 'm'))
  }
  const tapText = await readFile(tap, 'utf8')
  t.true(tapText.startsWith(`TAP version 14\n1..${total}\nok 1 - system: `))
  t.is(tapText.match(/^ok \d+ - /gm)?.length, Number(total))
  const junitText = await readFile(junit, 'utf8')
  t.is(junitText.match(/<testcase /g)?.length, Number(total))
  t.true(junitText.includes(`tests="${total}" failures="0"`))

  t.is(await hashFile(image), before)
  t.deepEqual(await processesWith(image), [])

  // An image that the environment names may have no report.
  const report = await readReport(image)
  if (report?.bake?.sha256 === before) t.is(report.tests.at(-1)?.checks.length, Number(total))
  else t.log('no report beside this image')
})
