import { access } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { runCommand, spawnCommand } from '../../builder/host/command.ts'

const sh = (script: string): string[] => ['sh', '-c', script]

test('output is returned, input is given, the environment is not inherited', async (t) => {
  process.env.PIBAKE_TEST_LEAK = 'leaked'
  t.teardown(() => delete process.env.PIBAKE_TEST_LEAK)
  const script = 'cat; printf "[%s][%s][%s]" "$PIBAKE_TEST_LEAK" "$LC_ALL" "$MINE"; echo problem >&2'
  const { stdout, stderr } = await runCommand(sh(script), { input: 'in ', env: { MINE: 'mine' } })
  t.is(stdout, 'in [][C.UTF-8][mine]')
  t.is(stderr, 'problem')
})

test('lines of both streams arrive while it runs', async (t) => {
  const lines: string[] = []
  await runCommand(sh('echo one; echo two >&2; echo three'), { onLine: (line) => lines.push(line) })
  t.deepEqual(lines.sort(), ['one', 'three', 'two'])
})

test('lines of the two streams are not glued together', async (t) => {
  const lines: string[] = []
  const script = "printf one; printf two >&2; sleep 0.2; echo ' more'; echo ' words' >&2; printf end"
  await runCommand(sh(script), { onLine: (line) => lines.push(line) })
  t.deepEqual(lines.sort(), ['end', 'one more', 'two words'])
})

const failures = [
  ['a status', sh('echo last words; exit 3'), /^`sh` failed with status 3\.$/],
  ['a signal', sh('echo last words; kill -TERM $$'), /^`sh` was ended by SIGTERM\.$/],
  ['no such program', ['/nonexistent/program'], /^`\/nonexistent\/program` could not be started/],
] as const

for (const [what, argv, message] of failures) {
  test(`a failure is told: ${what}`, async (t) => {
    const error = await t.throwsAsync(runCommand(argv), { instanceOf: PibakeError, code: 'COMMAND_FAILED' })
    t.regex(error.message, message)
    if (argv[0] === 'sh') t.deepEqual(error.details, ['last words'])
  })
}

test('the command line of a failure can be pasted into a shell; only the end of the output is kept', async (t) => {
  const argv = sh("seq 100; exit 1 # it's")
  const error = await t.throwsAsync(runCommand(argv, { name: 'counting' }), { instanceOf: PibakeError })
  t.is(error.hint, `The command was: sh -c 'seq 100; exit 1 # it'\\''s'`)
  t.is(error.message, '`counting` failed with status 1.')
  t.deepEqual([error.details.length, error.details.at(-1)], [20, '100'])
})

test('a full disk has its own code', async (t) => {
  await t.throwsAsync(runCommand(sh('echo "tar: x: No space left on device" >&2; exit 2')), { code: 'DISK_FULL' })
})

test('a time limit ends the command', async (t) => {
  const error = await t.throwsAsync(runCommand(sh('sleep 60'), { timeoutMs: 100 }), { code: 'COMMAND_FAILED' })
  t.regex(error?.message ?? '', /did not end within 100 ms/)
})

const isAlive = (pid: string): Promise<boolean> =>
  access(`/proc/${pid}/exe`).then(
    () => true,
    () => false,
  )

test('an interruption ends the command with everything it started', async (t) => {
  const controller = new AbortController()
  const pids: string[] = []
  const onLine = (line: string): void => {
    pids.push(line)
    if (pids.length === 2) controller.abort()
  }
  const run = runCommand(sh('echo $$; sleep 61 & echo $!; wait'), { signal: controller.signal, onLine })
  await t.throwsAsync(run, { instanceOf: PibakeError, code: 'INTERRUPTED' })
  t.is(pids.length, 2)
  for (let attempt = 0; attempt < 50 && (await isAlive(pids[1] ?? '')); attempt += 1) await sleep(20)
  for (const pid of pids) t.false(await isAlive(pid))
})

test('nothing is started once the signal has fired', async (t) => {
  const lines: string[] = []
  const run = runCommand(sh('echo started'), { signal: AbortSignal.abort(), onLine: (line) => lines.push(line) })
  await t.throwsAsync(run, { code: 'INTERRUPTED' })
  t.deepEqual(lines, [])
})

test('a command in the background ends with its signal', async (t) => {
  const controller = new AbortController()
  const subprocess = spawnCommand(sh('sleep 62'), { signal: controller.signal })
  controller.abort()
  t.is((await subprocess).signal, 'SIGKILL')
})
