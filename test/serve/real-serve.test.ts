import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { Agent, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import anyTest, { type TestFn } from 'ava'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { runParallel } from '../../builder/cache/parallel.ts'
import { hashFile } from '../../builder/core/digest.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { projectAt } from '../../builder/core/project.ts'
import { renderSource } from '../../builder/deb/release.ts'
import { debFileName } from '../../builder/deb/repository.ts'
import { openSigningKey } from '../../builder/deb/signing-key.ts'
import { runCommand, type Subprocess, spawnCommand } from '../../builder/host/command.ts'
import { readAllLocks } from '../../builder/lock/all.ts'
import { allDebs } from '../../builder/lock/debs.ts'
import { lockPath, readLock } from '../../builder/lock/file.ts'
import type { LockedDeb } from '../../builder/lock/schema.ts'
import type { Served } from '../../builder/serve/serve.ts'
import { ensureFetched, makeCheckout } from '../support/checkout.ts'
import { freshApt } from '../support/fresh-apt.ts'
import { noNpm } from '../support/npm.ts'
import { scratch } from '../support/scratch.ts'
import { checkout } from '../support/tools.ts'

const test = anyTest.serial as TestFn

/** With this set, the crowd fetches all that the cache has, in place of what pub needs. */
const wantsAll = (process.env.PIBAKE_SERVE_ALL ?? '') !== ''

const project = projectAt(checkout)
const crowd = 50
/** Connections of one of the crowd: as a pibake that fetches has. */
const connectionsOfOne = 4
/** The server starts at about 230 MB: Node, and what a thousand packages say of themselves. 200 connections add as much. */
const mostMemoryBytes = 600 * 1024 * 1024

let folder = ''
let server: Subprocess
let address = ''
let stderr = ''
let result: Promise<Served>

/** The events that the server has written until now. */
const events = (): PibakeEvent[] =>
  stderr.split('\n').flatMap((line) => (line.startsWith('{') && line.endsWith('}') ? [JSON.parse(line)] : []))

test.before('the server starts, without root, from the command line', async () => {
  await ensureFetched('rpi-arm64')
  folder = await mkdtemp(join(tmpdir(), 'pibake-test-'))
  const key = join(folder, 'key.asc')
  const command = [join(checkout, 'pibake'), 'serve', '--address', '127.0.0.1', '--port', '0', '--key', key, '--json']
  server = spawnCommand(command, { cwd: folder, env: { HOME: process.env.HOME ?? folder } })
  result = text(server.stdout).then((answer) => JSON.parse(answer) as Served)
  result.catch(() => {})
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  server.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
    // With fifty visitors this becomes long.
    if (address !== '') return
    const found = /"message":"(http:\/\/[^"]*)\/"/.exec(stderr)?.[1]
    if (found === undefined) return
    address = found
    resolve(found)
  })
  void server.then(() => reject(new Error(`the server ended: ${stderr}`)))
  await promise
})

test.after.always(async () => {
  server?.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

/** Fetch a path; its size and digest. */
const fetchOne = (agent: Agent, path: string): Promise<{ sizeBytes: number; sha256: string; status: number }> =>
  new Promise((resolve, reject) => {
    const request = get(`${address}${path}`, { agent, headers: { 'user-agent': 'pibake' } }, (response) => {
      const hash = createHash('sha256')
      let sizeBytes = 0
      response.on('data', (chunk: Buffer) => {
        sizeBytes += chunk.length
        hash.update(chunk)
      })
      response.on('error', reject)
      response.on('end', () => resolve({ sizeBytes, sha256: hash.digest('hex'), status: response.statusCode ?? 0 }))
    })
    request.on('error', reject)
  })

const peakMemoryBytes = async (pid: number | undefined): Promise<number> =>
  Number(/^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024

interface Item {
  path: string
  sha256: string
  sizeBytes: number
}

const debItem = ({ archive, path, sha256, sizeBytes }: LockedDeb): Item => ({
  path: `/${archive === 'security' ? 'debian-security' : 'debian'}/${path}`,
  sha256,
  sizeBytes,
})

/** What another baker asks for: the packages of pub, or of all locks, as far as they are in the cache here. */
const wantedItems = async (): Promise<Item[]> => {
  const locks = (await readAllLocks(project)).filter(({ file }) => wantsAll || file === 'pub')
  const items = locks.flatMap(({ kind, lock }) => [
    ...(kind === 'tools' ? lock.debs : allDebs(lock)).map(debItem),
    ...(kind === 'tools' ? [] : Object.values(lock.npm).flat()).map(({ name, version, sha256, sizeBytes }) => ({
      path: `/npm/${name}/-/${name.replace(/^.*\//, '')}-${version}.tgz`,
      sha256,
      sizeBytes,
    })),
  ])
  const unique = [...new Map(items.map((item) => [item.path, item])).values()]
  const blobs = openBlobs(project.cache)
  const present = await Promise.all(unique.map(({ sha256, sizeBytes }) => blobs.hasBlob(sha256 as never, sizeBytes)))
  return unique.filter((_, index) => present[index])
}

test('50 at once fetch all of the mirror, without an error and in bounded memory', async (t) => {
  t.timeout(900_000)
  const items = await wantedItems()
  t.true(items.length > 500, `${items.length} files`)
  const totalBytes = items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const startedMs = performance.now()
  const wrong: string[] = []
  await Promise.all(
    Array.from({ length: crowd }, async (_, index) => {
      const agent = new Agent({ keepAlive: true, maxSockets: connectionsOfOne, localAddress: `127.0.1.${index + 1}` })
      await runParallel(items, connectionsOfOne, async ({ path, sha256, sizeBytes }) => {
        const got = await fetchOne(agent, path)
        if (got.status !== 200 || got.sha256 !== sha256 || got.sizeBytes !== sizeBytes) wrong.push(path)
      })
      agent.destroy()
    }),
  )
  const seconds = (performance.now() - startedMs) / 1000
  const memoryBytes = await peakMemoryBytes(server.pid)
  const megabytes = Math.round((totalBytes * crowd) / 1e6)
  t.log(`${crowd} × ${items.length} files: ${megabytes} MB in ${seconds.toFixed(1)} s, peak ${memoryBytes / 1e6} MB`)
  t.deepEqual(wrong, [])
  t.true(memoryBytes < mostMemoryBytes, `${memoryBytes} bytes`)
})

const signedBy = (publicKey: string): string => {
  const text = renderSource({ uri: '', suite: '', components: [], publicKey })
  return text.slice(text.indexOf('Signed-By:'))
}

const readSource = async (): Promise<string> => (await fetch(`${address}/debian/pibake-trixie.sources`)).text()

for (const architecture of ['arm64', 'amd64']) {
  test(`apt for ${architecture} verifies the index and downloads a package`, async (t) => {
    const { work, apt } = await freshApt(t, { architecture, source: await readSource(), network: 'inherit' })
    await apt(['update', '--error-on=any'])
    const locks = await readAllLocks(project)
    const debs = locks.flatMap(({ kind, lock }) =>
      lock.suite === 'trixie' ? (kind === 'tools' ? lock.debs : allDebs(lock)) : [],
    )
    const blobs = openBlobs(project.cache)
    const ofThis = debs.filter((deb) => deb.architecture === architecture)
    const present = await Promise.all(ofThis.map(({ sha256, sizeBytes }) => blobs.hasBlob(sha256, sizeBytes)))
    const there = ofThis.filter((_, index) => present[index])
    // From the archive of security updates where there is one.
    const deb = there.find(({ archive }) => archive === 'security') ?? there[0]
    if (!deb) return t.fail(`no package for ${architecture} is in the cache`)
    await apt(['download', `${deb.name}=${deb.version}`])
    t.is(await hashFile(join(work, debFileName(deb))), deb.sha256)
  })
}

test('apt refuses what another key has signed', async (t) => {
  const other = await openSigningKey(join(folder, 'other.asc'), { owner: 'somebody else' })
  const source = await readSource()
  const stranger = source.slice(0, source.indexOf('Signed-By:')) + signedBy(other.publicKey)
  const { apt } = await freshApt(t, { architecture: 'arm64', source: stranger, network: 'inherit' })
  const error = await t.throwsAsync(apt(['update', '--error-on=any']), { code: 'COMMAND_FAILED' })
  t.regex(String(Object(error).details), /InRelease|signature|verif/i)
})

const ifNpm = noNpm === undefined ? test : test.skip

ifNpm(`npm ci puts the tree of a stage together${noNpm === undefined ? '' : ` (${noNpm})`}`, async (t) => {
  const work = await scratch(t)
  for (const name of ['package.json', 'package-lock.json']) {
    const answer = await fetch(`${address}/npm/-/ssb-pub/${name}`)
    t.is(answer.status, 200)
    await writeFile(join(work, name), await answer.text())
  }
  const env = { PATH: process.env.PATH ?? '', HOME: work, npm_config_cache: join(work, '.cache') }
  const forPi = ['--os=linux', '--cpu=arm64', '--libc=glibc', '--omit=dev', '--ignore-scripts', '--no-fund']
  await runCommand(['npm', 'ci', `--registry=${address}/npm/`, ...forPi], { cwd: work, env, timeoutMs: 240_000 })
  const lock = await readLock(lockPath(project.locks, 'pub'))
  const wanted = (lock?.npm['ssb-pub'] ?? []).filter(({ path }) => !path.slice(13).includes('node_modules'))
  t.true(wanted.length > 100)
  const there = new Set(await readdir(join(work, 'node_modules')))
  for (const { path } of wanted) t.true(there.has(path.split('/')[1] ?? ''), path)
  const first = wanted[0]
  const manifest = await readFile(join(work, first?.path ?? '', 'package.json'), 'utf8')
  t.is((JSON.parse(manifest) as { version: string }).version, first?.version ?? '')
})

test('another baker fetches a profile from it, with the same lock and nothing else', async (t) => {
  t.timeout(300_000)
  const other = await makeCheckout()
  try {
    await rm(join(other.project.cache, 'blobs'), { recursive: true })
    await rm(join(other.project.cache, 'integrity'), { recursive: true })
    const lock = await readFile(lockPath(other.project.locks, 'pub'), 'utf8')
    const wrap = ['env', `npm_config_registry=${address}/npm/`, 'no_proxy=127.0.0.1']
    const mirror = `${address}/debian`
    const run = await other.runJson(['fetch', '--profile', 'pub', '--frozen', '--mirror', mirror], { wrap })
    t.is(run.exitCode, 0, run.stderr.slice(-3000))
    t.is(await readFile(lockPath(other.project.locks, 'pub'), 'utf8'), lock)
    const plan = await other.runJson(['plan', '--profile', 'pub'])
    t.deepEqual(plan.data.missing, [])
    const refreshed = await other.runJson(['fetch', '--profile', 'pub', '--refresh', '--mirror', mirror], { wrap })
    t.is(refreshed.failure?.code, 'SIGNATURE_INVALID', 'this mirror cannot speak for Debian')
  } finally {
    await other.remove()
  }
})

test('Ctrl-C ends it well, and it says who fetched what', async (t) => {
  server.kill('SIGINT')
  const { exitCode } = await server
  t.is(exitCode, 0)
  const { visitors, requests, sentBytes } = await result
  const ofCrowd = visitors.filter((visitor) => visitor.address.startsWith('127.0.1.'))
  t.is(ofCrowd.length, crowd)
  const [first] = ofCrowd
  t.deepEqual(first?.programs, ['pibake'])
  for (const visitor of ofCrowd) t.deepEqual(visitor.files, first?.files ?? {})
  t.true((first?.files['npm packages'] ?? 0) > 100 && (first?.files['Debian packages'] ?? 0) > 100)
  const others = visitors.find((visitor) => visitor.address === '127.0.0.1')
  for (const program of ['apt', 'npm', 'pibake']) t.true(others?.programs.includes(program), program)
  const lines = events().filter((event) => event.type === 'access')
  t.is(lines.length, requests)
  t.true(sentBytes > 0)
  t.deepEqual(
    lines.filter(({ isWhole }) => !isWhole),
    [],
  )
})
