import type { Board } from '../boot/board.ts'
import { chooseBoard } from '../boot/choose-board.ts'
import type { TestReport } from '../boot/report.ts'
import type { TestRequest } from '../boot/test-image.ts'
import { PibakeError } from '../core/error.ts'
import { makeScratch } from '../host/scratch.ts'
import { boardOption, chosenImage, openTools } from './chosen.ts'
import { defineCommand } from './command.ts'
import { reportResult, resultOptions } from './test-result.ts'

const checkCuts = (cuts: number, board: Board | undefined): void => {
  const hint = 'For example: `pibake test images/pub.img --power-cuts 5`'
  if (!Number.isInteger(cuts) || cuts < 1)
    throw new PibakeError('USAGE', '`--power-cuts` is a whole number above 0.', { hint })
  if (board === 'raspi3b')
    throw new PibakeError('USAGE', `\`--power-cuts\` does not go with \`--board ${board}\`.`, { hint })
}

/** Test an image, and add the result to the report beside it, where that is about this very image. */
const testAndReport = async (request: TestRequest): Promise<TestReport> => {
  const { testImage } = await import('../boot/test-image.ts')
  const report = await testImage(request)
  const { addTest } = await import('../page/add-test.ts')
  await addTest(request.image, { ...report, testedAt: new Date().toISOString() }).catch((error: unknown) => {
    const message = `The report beside the image could not be brought up to date: ${String(error)}`
    request.emit({ type: 'notice', level: 'warn', message })
  })
  return report
}

export const test = defineCommand({
  options: {
    ...boardOption,
    'power-cuts': {
      type: 'number',
      describe: 'Instead of the checks: cut the power at so many random moments, and boot what is left each time',
    },
    seed: { type: 'number', default: 1, describe: 'Which random moments' },
    ...resultOptions,
  },
  positionals: { image: { type: 'string', demandOption: true, describe: 'Path of an image; it is not changed' } },
  examples: [
    ['$0 test images/pub.img', 'Boot it and ask its services'],
    ['$0 test images/pub.img --board raspi3b', 'On the board itself, as far as QEMU plays it'],
    ['$0 test images/pub.img --junit report.xml', 'For CI: the table here, JUnit in a file'],
    ['$0 test images/pub.img --power-cuts 5', 'Does it boot, with nothing lost, after the power failed?'],
  ],
  async run({ image, board: named, 'power-cuts': cuts, seed, format, tap, junit }, context) {
    const { project, emit, signal } = context
    if (cuts !== undefined) checkCuts(cuts, named)
    const tools = await openTools(context)
    const board = await chooseBoard(tools, chosenImage(image), { named, signal })
    await using scratch = await makeScratch(project.work)
    const request = { tools, image: chosenImage(image), board, scratch: scratch.path, emit, signal }
    const report =
      cuts === undefined
        ? await testAndReport(request)
        : await (await import('../boot/power-cut.ts')).testPowerCuts({ ...request, cuts, seed })
    return reportResult(report, { format, tap, junit })
  },
})
