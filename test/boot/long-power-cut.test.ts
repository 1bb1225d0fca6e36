import test from 'ava'
import { spawnPibake } from './_command.ts'
import { bakedImage, noImage } from './_image.ts'

const realTest = noImage === undefined ? test.serial : test.serial.skip

realTest(
  'pub boots again after its power was cut, in its first boot and while it writes, with nothing lost',
  async (t) => {
    t.timeout(2_400_000)
    const image = await bakedImage()
    const cuts = Number(process.env.PIBAKE_POWER_CUTS ?? 3)
    const { ended } = spawnPibake(['test', image, '--power-cuts', String(cuts)])
    const { exitCode, stdout, stderr } = await ended
    t.is(exitCode, 0, `${stdout}\n${stderr}`)
    t.is(stdout.match(/^ok +system +cut \d+ of \d+, .*it boots again with zero failed units/gm)?.length, cuts, stdout)
    t.is(stdout.match(/in the first boot: it boots again/g)?.length, Math.ceil(cuts / 4), stdout)
    t.regex(stdout, /^ok +ssb-pub +cut \d+ of \d+, while services write: every message that the pub had accepted/m)
  },
)

realTest('what cannot be cut is refused', async (t) => {
  const image = await bakedImage()
  for (const args of [
    ['--power-cuts', '0'],
    ['--power-cuts', '2', '--board', 'raspi3b'],
  ]) {
    const { exitCode, stderr } = await spawnPibake(['test', image, ...args]).ended
    t.is(exitCode, 2, stderr)
    t.regex(stderr, /--power-cuts/)
  }
})
