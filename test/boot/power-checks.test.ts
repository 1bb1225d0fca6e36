import test from 'ava'
import type { Guest } from '../../builder/boot/boot.ts'
import { acceptedIn, parsePowerChecks, verifyKept, writeOnce } from '../../builder/boot/power-checks.ts'

const declared = { name: 'kept', title: 'It is kept', writePath: '/w', verifyPath: '/v', timeoutSeconds: 5 }
const check = { stage: 'x', ...declared }

test('what a stage declares on the image', (t) => {
  t.deepEqual(parsePowerChecks(JSON.stringify({ name: 'x', powerChecks: [declared] })), [check])
  t.deepEqual(parsePowerChecks('{"name": "x", "checks": []}'), [])
  t.throws(() => parsePowerChecks('{"name": "x", "powerChecks": [{}]}'), { code: 'IMAGE_INVALID' })
})

test('a token stands in a line of its own', (t) => {
  t.is(acceptedIn('ACCEPTED %a=.sha256'), '%a=.sha256')
  for (const line of ['hello', 'ACCEPTED', ' ACCEPTED b', 'ACCEPTED c d']) t.is(acceptedIn(line), undefined)
})

type Asked = Pick<Guest, 'run' | 'push'> & { pushed: string[]; scripts: string[] }

const guestThat = (exitCode: number, output: string): Asked => {
  const pushed: string[] = []
  const scripts: string[] = []
  return {
    pushed,
    scripts,
    run: async (script, options) => {
      scripts.push(script)
      for (const line of output.split('\n')) options?.onLine?.(line)
      return { output, exitCode, timedOut: false }
    },
    push: async (_path, bytes) => {
      pushed.push(Buffer.from(bytes).toString())
    },
  }
}

test('what is lost fails the check, with what was said of it', async (t) => {
  const guest = guestThat(1, 'a is lost')
  const result = await verifyKept(guest, { check, accepted: ['a', 'b'], signal: undefined })
  t.deepEqual(guest.pushed, ['a\nb\n'])
  t.regex(guest.scripts[0] ?? '', /^exec '?\/v'? \/run\/pibake-accepted$/)
  t.is(result.outcome, 'failed')
  t.is(result.output, '2 accepted before\na is lost')
})

test('a service that does not write is an error of its own', async (t) => {
  const accepted: string[] = []
  const options = { check, onAccepted: (token: string) => accepted.push(token), signal: undefined }
  await writeOnce(guestThat(0, 'ACCEPTED a\nother\nACCEPTED b'), options)
  t.deepEqual(accepted, ['a', 'b'])
  await t.throwsAsync(writeOnce(guestThat(1, 'refused'), options), { code: 'CHECKS_FAILED' })
})
