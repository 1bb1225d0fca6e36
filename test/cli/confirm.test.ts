import { PassThrough } from 'node:stream'
import test from 'ava'
import { confirmByName } from '../../builder/cli/confirm.ts'

/** A terminal on which somebody types `answer`; what is shown there ends in `shown`. */
const terminalWith = (answer: string, isTTY = true) => {
  const input = Object.assign(new PassThrough(), { isTTY })
  const output = Object.assign(new PassThrough(), { isTTY })
  input.write(`${answer}\n`)
  const terminal = { input, output } as unknown as { input: NodeJS.ReadStream; output: NodeJS.WriteStream }
  return { terminal, output, signal: new AbortController().signal }
}

for (const answer of ['sdb sdc', ' sdc  sdb ', 'sdb,sdc']) {
  test(`the names are a yes: ${answer}`, async (t) => {
    const context = terminalWith(answer)
    await t.notThrowsAsync(confirmByName(['pub.img goes to:'], ['sdb', 'sdc'], context))
    t.regex(String(context.output.read()), /pub\.img goes to:\n.*type sdb sdc: /)
  })
}

for (const answer of ['', 'y', 'yes', 'sdb', 'sdb sdc sdd', 'sdb sdd']) {
  test(`anything else is a no: "${answer}"`, async (t) => {
    await t.throwsAsync(confirmByName([], ['sdb', 'sdc'], terminalWith(answer)), { code: 'INTERRUPTED' })
  })
}

test('where nobody can be asked, --yes is wanted', async (t) => {
  await t.throwsAsync(confirmByName([], ['sdb'], terminalWith('sdb', false)), { code: 'USAGE' })
})
