import { writeFile } from 'node:fs/promises'
import { PibakeError } from '../core/error.ts'
import { makeScratch } from '../host/scratch.ts'
import { chosenImage, openTools } from './chosen.ts'
import { defineCommand } from './command.ts'

const write = async (path: string, text: string): Promise<void> => {
  await writeFile(path, text).catch((cause: unknown) => {
    throw new PibakeError('USAGE', `\`${path}\` cannot be written.`, {
      hint: 'Name a file in a folder that exists.',
      cause,
    })
  })
}

export const test = defineCommand({
  options: {
    board: { choices: ['virt', 'raspi3b'] as const, default: 'virt' as const, describe: 'The machine that QEMU plays' },
    format: { choices: ['table', 'tap', 'junit'] as const, default: 'table' as const, describe: 'Form of the result' },
    tap: { type: 'string', describe: 'File to write the result to as TAP besides' },
    junit: { type: 'string', describe: 'File to write the result to as JUnit XML besides' },
  },
  positionals: { image: { type: 'string', demandOption: true, describe: 'Path of an image; it is not changed' } },
  examples: [
    ['$0 test images/pub.img', 'Boot it and ask its services'],
    ['$0 test images/pub.img --board raspi3b', 'On the board itself, as far as QEMU plays it'],
    ['$0 test images/pub.img --junit report.xml', 'For CI: the table here, JUnit in a file'],
  ],
  async run({ image, board, format, tap, junit }, context) {
    const { project, emit, signal } = context
    const { requirePassed, testImage } = await import('../boot/test-image.ts')
    const tools = await openTools(context)
    await using scratch = await makeScratch(project.work)
    const report = await testImage({ tools, image: chosenImage(image), board, scratch: scratch.path, emit, signal })
    const render = {
      table: async () => (await import('../boot/table.ts')).renderTable(report),
      tap: async () => (await import('../boot/tap.ts')).renderTap(report),
      junit: async () => (await import('../boot/junit.ts')).renderJunit(report),
    }
    if (tap !== undefined) await write(tap, await render.tap())
    if (junit !== undefined) await write(junit, await render.junit())
    const text = (await render[format]()).trimEnd()
    let failure: unknown
    try {
      requirePassed(report)
    } catch (error) {
      failure = error
    }
    return { data: report, lines: () => [text], ...(failure === undefined ? {} : { failure }) }
  },
})
