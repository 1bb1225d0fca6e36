import { makeScratch } from '../host/scratch.ts'
import { chosenImage, openTools } from './chosen.ts'
import { defineCommand } from './command.ts'
import { reportResult, resultOptions } from './test-result.ts'

export const test = defineCommand({
  options: {
    board: { choices: ['virt', 'raspi3b'] as const, default: 'virt' as const, describe: 'The machine that QEMU plays' },
    ...resultOptions,
  },
  positionals: { image: { type: 'string', demandOption: true, describe: 'Path of an image; it is not changed' } },
  examples: [
    ['$0 test images/pub.img', 'Boot it and ask its services'],
    ['$0 test images/pub.img --board raspi3b', 'On the board itself, as far as QEMU plays it'],
    ['$0 test images/pub.img --junit report.xml', 'For CI: the table here, JUnit in a file'],
  ],
  async run({ image, board, format, tap, junit }, context) {
    const { project, emit, signal } = context
    const { testImage } = await import('../boot/test-image.ts')
    const tools = await openTools(context)
    await using scratch = await makeScratch(project.work)
    const report = await testImage({ tools, image: chosenImage(image), board, scratch: scratch.path, emit, signal })
    return reportResult(report, { format, tap, junit })
  },
})
