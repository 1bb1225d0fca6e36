import { makeScratch } from '../host/scratch.ts'
import { chosenImage, openTools } from './chosen.ts'
import { defineCommand } from './command.ts'

export const test = defineCommand({
  options: {
    board: { choices: ['virt', 'raspi3b'] as const, default: 'virt' as const, describe: 'The machine that QEMU plays' },
    format: { choices: ['table', 'tap', 'junit'] as const, default: 'table' as const, describe: 'Form of the result' },
  },
  positionals: { image: { type: 'string', demandOption: true, describe: 'Path of an image; it is not changed' } },
  examples: [
    ['$0 test images/pub.img', 'Boot it and ask its services'],
    ['$0 test images/pub.img --board raspi3b', 'On the board itself, as far as QEMU plays it'],
    ['$0 test images/pub.img --format junit > report.xml', 'For CI'],
  ],
  async run({ image, board, format }, context) {
    const { project, emit, signal } = context
    const { requirePassed, testImage } = await import('../boot/test-image.ts')
    const tools = await openTools(context)
    await using scratch = await makeScratch(project.work)
    const report = await testImage({ tools, image: chosenImage(image), board, scratch: scratch.path, emit, signal })
    const render = {
      table: async () => (await import('../boot/table.ts')).renderTable,
      tap: async () => (await import('../boot/tap.ts')).renderTap,
      junit: async () => (await import('../boot/junit.ts')).renderJunit,
    }
    const text = (await render[format]())(report).trimEnd()
    let failure: unknown
    try {
      requirePassed(report)
    } catch (error) {
      failure = error
    }
    return { data: report, lines: () => [text], ...(failure === undefined ? {} : { failure }) }
  },
})
