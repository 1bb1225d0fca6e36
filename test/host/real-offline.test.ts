import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import anyTest, { type TestFn } from 'ava'
import { assertOffline } from '../../builder/host/offline.ts'

const test = anyTest as TestFn<{ folder: string; notes: string }>

const parent = join(import.meta.dirname, 'fixtures', 'offline-parent.ts')

test.beforeEach(async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-test-'))
  t.context = { folder, notes: join(folder, 'notes') }
})
test.afterEach.always((t) => rm(t.context.folder, { recursive: true, force: true }))

const start = (args: readonly string[]): ChildProcess =>
  spawn(process.execPath, [parent, ...args], { stdio: 'inherit' })

const linesOf = async (path: string): Promise<string[]> =>
  (await readFile(path, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')

const until = async (condition: () => Promise<boolean>): Promise<boolean> => {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (await condition()) return true
    await sleep(50)
  }
  return false
}

/** The host's process id of the child: the one process of the kind that has pid 1 in a namespace of its own. */
const childPid = async (notes: string): Promise<number> => {
  await until(async () => (await linesOf(notes)).length > 0)
  for (const name of await readdir('/proc')) {
    const commandLine = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
    if (!commandLine.includes('offline-child.ts') || !commandLine.includes(notes)) continue
    if (/^NSpid:\s+\d+\s+1$/m.test(await readFile(`/proc/${name}/status`, 'utf8').catch(() => ''))) return Number(name)
  }
  throw new Error('the child is not there')
}

const isAlive = (pid: number): Promise<boolean> =>
  access(`/proc/${pid}/exe`).then(
    () => true,
    () => false,
  )

test('no address is reached, and the exit code is passed on', async (t) => {
  const server = createServer((socket) => socket.end())
  server.listen(0, '0.0.0.0')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family }) => family === 'IPv4')
    .map(({ address }) => `${address} ${port}`)
  const addresses = [`127.0.0.1 ${port}`, ...own, '192.0.2.1 80', '2001:db8::1 80', 'example.org 80']
  const [code] = await once(start(['connect', t.context.notes, ...addresses]), 'exit')
  t.is(code, 7)
  const results = await linesOf(t.context.notes)
  t.is(results.length, addresses.length)
  for (const [index, result] of results.entries()) {
    t.true(
      ['ENETUNREACH', 'EAI_AGAIN', 'ENOTFOUND', 'EADDRNOTAVAIL'].includes(result),
      `${addresses[index]}: ${result}`,
    )
  }
})

test('a parent that is killed takes it along', async (t) => {
  const process = start(['wait', t.context.notes, '60000'])
  const pid = await childPid(t.context.notes)
  t.true(await isAlive(pid))
  process.kill('SIGKILL')
  t.true(await until(async () => !(await isAlive(pid))))
})

for (const name of ['SIGINT', 'SIGTERM'] as const) {
  test(`${name} arrives once, and the parent waits for the end`, async (t) => {
    const process = start(['wait', t.context.notes, '1500'])
    await childPid(t.context.notes)
    process.kill(name)
    const [code] = await once(process, 'exit')
    t.is(code, 0)
    t.deepEqual((await linesOf(t.context.notes)).slice(1), [name])
  })
}

test('Ctrl-C on a terminal, which reaches the whole group, arrives once', async (t) => {
  const process = spawn(globalThis.process.execPath, [parent, 'wait', t.context.notes, '1500'], { detached: true })
  await childPid(t.context.notes)
  globalThis.process.kill(-(process.pid ?? 0), 'SIGINT')
  const [code] = await once(process, 'exit')
  t.is(code, 0)
  t.deepEqual((await linesOf(t.context.notes)).slice(1), ['SIGINT'])
})

test('a process that has a network is not taken for one without', (t) => {
  const error = t.throws(() => assertOffline())
  t.regex(error?.message ?? '', /must run without network, but there is: interface /)
})
