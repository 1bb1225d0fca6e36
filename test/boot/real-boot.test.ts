import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { canRunGuest } from '../../builder/boot/accelerator.ts'
import { requirePassed, testImage } from '../../builder/boot/test-image.ts'
import { hashFile } from '../../builder/core/digest.ts'
import { tools } from '../support/tools.ts'

/** The image to boot; without it there is nothing to test here. */
const image = process.env.PIBAKE_IMAGE

const scratchFolder = () => mkdtemp(join(tmpdir(), 'pibake-boot-'))

test('the probe really starts a guest, here by emulation', async (t) => {
  const folder = await scratchFolder()
  t.true(await canRunGuest(tools, 'tcg', { folder }))
  await rm(folder, { recursive: true })
})

const bootTest = image === undefined ? test.skip : test.serial

bootTest(
  'an image boots, passes its checks, stays bit-identical and leaves nothing (needs PIBAKE_IMAGE)',
  async (t) => {
    t.timeout(900_000)
    const path = image ?? ''
    const before = await hashFile(path)
    const scratch = await scratchFolder()
    const report = await testImage({ tools, image: path, board: 'virt', scratch, emit: () => {} })
    t.notThrows(() => requirePassed(report))
    t.true(report.checks.length >= 4)
    t.is(await hashFile(path), before)
    t.deepEqual(await readdir(scratch), [])
    await rm(scratch, { recursive: true })
  },
)
