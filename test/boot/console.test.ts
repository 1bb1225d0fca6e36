import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex, PassThrough } from 'node:stream'
import anyTest, { type TestFn } from 'ava'
import { createConsole, type GuestConsole } from '../../builder/boot/console.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { spawnCommand } from '../../builder/host/command.ts'

const test = anyTest as TestFn<{ folder: string; console: GuestConsole; end: () => void }>

/** A shell on plain pipes; what a terminal adds around it is in the tables of the protocol's tests. */
test.beforeEach(async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-console-'))
  const shell = spawnCommand(['sh'], { cwd: folder })
  const stream = Duplex.from({ readable: shell.stdout, writable: shell.stdin })
  stream.on('error', () => {})
  shell.stderr.resume()
  const console = createConsole(stream)
  await console.greet({ timeoutMs: 10_000, retryMs: 300 })
  t.context = { folder, console, end: () => shell.kill('SIGKILL') }
})

test.afterEach.always(async (t) => {
  t.context.end()
  await rm(t.context.folder, { recursive: true })
})

test('output and status of a command', async (t) => {
  const { console } = t.context
  t.deepEqual(await console.run(`echo "it's ü" >&2; exit 7`), { output: "it's ü", exitCode: 7, timedOut: false })
  t.deepEqual(await console.run('true'), { output: '', exitCode: 0, timedOut: false })
})

test('lines are told while the command goes on', async (t) => {
  const { console, folder } = t.context
  const lines: string[] = []
  const onLine = (line: string): void => {
    lines.push(line)
    if (line === 'one') writeFileSync(join(folder, 'go'), '')
  }
  const wait = 'for i in $(seq 100); do [ -e go ] && break; sleep 0.1; done; [ -e go ]'
  t.is((await console.run(`echo one; ${wait}; echo two $?`, { onLine })).output, 'one\ntwo 0')
  t.deepEqual(
    lines.filter((line) => /^(one|two)/.test(line)),
    ['one', 'two 0'],
  )
  await console.run('echo three')
  t.false(lines.includes('three'))
})

test('a script longer than the line of a terminal, with quotes and line ends', async (t) => {
  const text = `'"$x\n`.repeat(4000)
  const { output } = await t.context.console.run(`cat <<'END' | sha256sum\n${text}END`)
  t.is(output.split(' ')[0], createHash('sha256').update(text).digest('hex'))
})

test('a syntax error does not end the shell', async (t) => {
  const { console } = t.context
  t.not((await console.run('if then (')).exitCode, 0)
  t.is((await console.run('echo still here')).output, 'still here')
})

test('a command sees end of file on its standard input', async (t) => {
  t.is((await t.context.console.run('cat; echo done')).output, 'done')
})

test('a time-out ends the command and its children, and says so', async (t) => {
  const { console } = t.context
  const result = await console.run('echo before; sleep 60 & sleep 60', { timeoutMs: 1000 })
  t.true(result.timedOut)
  t.regex(result.output, /^before/)
  t.is((await console.run('echo after')).output, 'after')
})

test('a status of 124 in time is no time-out', async (t) => {
  t.deepEqual(await t.context.console.run('exit 124'), { output: '', exitCode: 124, timedOut: false })
})

test('commands asked for at once run in turn', async (t) => {
  const { console } = t.context
  const results = await Promise.all(['1', '2', '3'].map((number) => console.run(`echo ${number}`)))
  t.deepEqual(
    results.map(({ output }) => output),
    ['1', '2', '3'],
  )
})

test('a file is pushed byte for byte with its mode', async (t) => {
  const { console, folder } = t.context
  const bytes = randomBytes(12_345)
  const path = join(folder, `it's a file`)
  await console.push(path, bytes, 0o640)
  t.deepEqual(await readFile(path), bytes)
  t.is((await stat(path)).mode & 0o777, 0o640)
  await console.push(path, new Uint8Array(), 0o600)
  t.is((await stat(path)).size, 0)
})

test('a push into a folder that is not there fails and leaves the shell usable', async (t) => {
  const { console, folder } = t.context
  const error = await t.throwsAsync(console.push(join(folder, 'no/where'), randomBytes(3), 0o644), {
    instanceOf: PibakeError,
  })
  t.is(error?.code, 'BOOT_FAILED')
  t.is((await console.run('echo on')).output, 'on')
})

test('the end of the line fails what runs, at once', async (t) => {
  const { console, end } = t.context
  const running = console.run('sleep 60', { timeoutMs: 60_000 })
  setTimeout(end, 300)
  const error = await t.throwsAsync(running, { instanceOf: PibakeError })
  t.regex(error?.message ?? '', /cut off/)
})

test('an abort interrupts the wait', async (t) => {
  const error = await t.throwsAsync(t.context.console.run('sleep 5', { signal: AbortSignal.timeout(300) }), {
    instanceOf: PibakeError,
  })
  t.is(error?.code, 'INTERRUPTED')
})

test('a shell that never answers is given up after a minute times the patience', async (t) => {
  const silent = Duplex.from({ readable: new PassThrough(), writable: new PassThrough().resume() })
  const error = await t.throwsAsync(createConsole(silent, { patience: 0.01 }).run('true'), { instanceOf: PibakeError })
  t.is(error?.code, 'BOOT_FAILED')
  t.regex(error?.message ?? '', /did not answer within 1 s/)
  silent.destroy()
})
