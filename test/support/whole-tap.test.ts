import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { checkout } from './tools.ts'

/** What supertap says of a failed test whose error has a stack of one line. */
const describeFailure = async (args: readonly string[]): Promise<string> => {
  const script = `import { test } from 'supertap'
    console.log(test('bad', { index: 1, passed: false, error: Object.assign(new Error('x'), { stack: 'Error: x' }) }))`
  const { stdout } = await promisify(execFile)(process.execPath, [...args, '--input-type=module', '-e', script], {
    cwd: join(checkout, 'node_modules/ava'),
  })
  return stdout
}

test('an error that has no place is reported', async (t) => {
  const said = await describeFailure(['--import', join(checkout, 'test/support/whole-tap.ts')])
  t.regex(said, /^not ok 1 - bad\n {2}---\n(?: {4}.*\n)* {4}message: x\n(?: {4}.*\n)* {2}\.\.\.\n$/)
})

test('without that it is not: once this fails, ava can do it alone', async (t) => {
  await t.throwsAsync(describeFailure([]), { message: /unacceptable kind of an object to dump/ })
})
