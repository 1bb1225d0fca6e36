import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../../builder/host/command.ts'
import { checkout } from '../support/tools.ts'
import { measure, median } from './measure.ts'
import type { Row, Say } from './result.ts'

const runs = 3

/**
 * `pibake flash` as a whole, start included, against `bmaptool copy` of the same image to the same loop device, in turns;
 * no rows where bmaptool is missing.
 */
export const benchFlash = async ({
  image,
  scratch,
  say,
}: {
  image: string
  scratch: string
  say: Say
}): Promise<Row[]> => {
  const has = await runCommand(['bmaptool', '--version']).then(
    () => true,
    () => false,
  )
  if (!has) {
    say('  skipped: bmaptool is not installed')
    return []
  }
  const file = join(scratch, 'card')
  await using card = await open(file, 'w')
  await card.truncate(4 * 2 ** 30)
  const { stdout: device } = await runCommand(['losetup', '--find', '--show', file])
  try {
    const flash = (...more: string[]) =>
      runCommand([join(checkout, 'pibake'), 'flash', image, '--to', device, '--yes', '--json', ...more])
    const copy = () => runCommand(['bmaptool', 'copy', image, device])
    const times = { plain: [] as number[], readBack: [] as number[], copy: [] as number[] }
    // The first takes its blocks from the file system for all that come after.
    await copy()
    for (let run = 0; run < runs; run += 1) {
      times.copy.push((await measure(copy)).wallMs)
      times.plain.push((await measure(() => flash('--no-verify'))).wallMs)
      times.readBack.push((await measure(() => flash())).wallMs)
    }
    const reference = { what: '`bmaptool copy`, which does not read back', value: median(times.copy) }
    const row = { unit: 'ms', ratio: 'slower', reference } as const
    return [
      { ...row, id: 'flash', what: 'Flash a loop device, not read back', measured: median(times.plain), limit: 1.1 },
      { ...row, id: 'flash-read-back', what: 'Flash a loop device and read it back', measured: median(times.readBack) },
    ]
  } finally {
    await runCommand(['losetup', '--detach', device])
    await rm(file)
  }
}
