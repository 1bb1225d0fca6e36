import { once } from 'node:events'
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { parse, stringify } from 'yaml'
import { layCables } from '../../builder/boot/cables.ts'
import { startSwitch } from '../../builder/boot/switch.ts'
import { shapeTopology } from '../../builder/boot/topology.ts'
import { hashFile } from '../../builder/core/digest.ts'
import { projectAt } from '../../builder/core/project.ts'
import { makeCheckout } from '../support/checkout.ts'
import { installFrom, noNpm } from '../support/npm.ts'
import { checkout, tools } from '../support/tools.ts'
import { type StartedPibake, spawnPibake } from './_command.ts'
import { bakedImage, bootFolder, noImage, processesWith } from './_image.ts'

const realTest = noImage === undefined ? test.serial : test.serial.skip
const title = (name: string): string => (noImage === undefined ? name : `${name} (${noImage})`)

const frame = (last: number): Buffer => {
  const bytes = Buffer.alloc(4 + 60, last)
  bytes.writeUInt32BE(60, 0)
  return bytes
}

/** Plug a cable in, again while nobody listens yet, as QEMU does; `bytes` is what has come out of it. */
const plug = async (path: string): Promise<{ socket: Socket; bytes: () => Buffer }> => {
  let bytes: Buffer = Buffer.alloc(0)
  const socket = connect(path).on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
  })
  const isPlugged = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  // The switch may go before the cable does.
  if (isPlugged) return { socket: socket.on('error', () => {}), bytes: () => bytes }
  await sleep(100)
  return plug(path)
}

test.serial('a switch carries a frame to all others, and goes on when one is unplugged', async (t) => {
  t.timeout(60_000)
  const folder = await mkdtemp(join(await bootFolder(t), 'cables-'))
  const [plan] = layCables(shapeTopology('full', 3)).switches
  if (plan === undefined) return t.fail('no switch is planned')
  const started = await startSwitch(plan, { tools, cables: folder })
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((node) => plug(join(folder, `0-${node}`))))
  if (!a || !b || !c) return t.fail()
  const arrives = async (at: { bytes: () => Buffer }, wanted: Buffer): Promise<void> => {
    while (!at.bytes().equals(wanted)) await sleep(20)
  }
  // A frame is lost while the other end is not yet plugged in, as on any wire.
  while (b.bytes().length === 0 || c.bytes().length === 0) {
    a.socket.write(frame(1))
    await sleep(100)
  }
  const before = c.bytes()
  b.socket.destroy()
  a.socket.write(frame(2))
  await arrives(c, Buffer.concat([before, frame(2)]))
  c.socket.write(frame(3))
  await arrives(a, frame(3))
  t.is(a.bytes().length, 64)
  for (const { socket } of [a, c]) socket.destroy()
  await started[Symbol.asyncDispose]()
  t.deepEqual(await processesWith(folder), [])
})

const scratchNames = async (): Promise<string[]> => (await readdir(projectAt(checkout).work).catch(() => [])).sort()

/**
 * An image of pub whose front page is of a newer version, with another text in two of its conffiles, and whose mirror has
 * npm packages: what a neighbour may have when a node has been out for a while. Removed when the test ends.
 */
const newerImage = async (t: ExecutionContext): Promise<string> => {
  const { project, runJson, remove } = await makeCheckout({ isWarm: true })
  t.teardown(remove)
  const change = async (path: string, edit: (text: string) => string): Promise<void> => {
    const before = await readFile(join(project.root, path), 'utf8')
    t.not(edit(before), before, path)
    await writeFile(join(project.root, path), edit(before))
  }
  await change('stages/portal/stage.yaml', (text) => text.replace(/^version: .*$/m, 'version: 99.0.0'))
  await change('stages/portal/stage.yaml', (text) =>
    text.replace('Heading of the page.', 'What stands above the page.'),
  )
  await change('overlays/portal/etc/nginx/conf.d/pibake-portal.conf', (text) => `# newer\n${text}`)
  const npm = { settings: { 'apt-mirror': { 'npm-packages': true } } }
  await change('stages/profiles/pub.yaml', (text) => stringify({ ...parse(text), ...npm }))
  const { exitCode, data, stderr } = await runJson(['--profile', 'pub', '--offline'])
  t.is(exitCode, 0, stderr.slice(-3000))
  return join(project.root, String(data.image))
}

/** Start a lab; it is ended with the test, however that ends. */
const startLab = (t: ExecutionContext, args: readonly string[]): StartedPibake & { interrupt(): void } => {
  const started = spawnPibake(['lab', ...args])
  let isOver = false
  const ended = started.ended.finally(() => {
    isOver = true
  })
  const interrupt = (): void => {
    if (!isOver && started.process.pid !== undefined) process.kill(started.process.pid, 'SIGINT')
  }
  t.teardown(async () => {
    interrupt()
    await ended
  })
  return { ...started, interrupt }
}

const isRoot = process.getuid?.() === 0

realTest(
  title('lab: nodes of two images find each other, the older upgrades from the newer, and nothing is left'),
  async (t) => {
    t.timeout(2_400_000)
    const image = await bakedImage()
    const folder = await bootFolder(t)
    const newer = isRoot ? [await newerImage(t)] : []
    const images = [...newer, image]
    const digests = await Promise.all(images.map((path) => hashFile(path)))
    const scratchBefore = await scratchNames()
    const [tap, junit] = [join(folder, 'lab.tap'), join(folder, 'lab.xml')]
    const started = startLab(t, [...images, '--nodes', '2', '--keep', '--tap', tap, '--junit', junit])
    const isOver = started.ended.then(() => true)
    while (!started.printed().stderr.includes('The nodes stay up until Ctrl-C.')) {
      if (await Promise.race([isOver, sleep(500, false)])) return t.fail(started.printed().stderr)
    }
    const [, portal = ''] = /a {2}(http:\S+) {2}ssh -p \d+ root@127\.0\.0\.1/.exec(started.printed().stderr) ?? []
    const page = await (await fetch(`${portal}mirror/`)).text()
    t.true(page.includes(` ${portal}mirror/pibake.sources\n`), page)
    if (newer.length > 0 && noNpm === undefined) {
      const { packages } = await installFrom(`${portal}npm/`, join(folder, 'npm'), 'muxrpcli')
      t.true(packages['node_modules/muxrpcli']?.resolved.startsWith(`${portal}npm/muxrpcli/-/`))
    }

    started.interrupt()
    const { exitCode, stderr } = await started.ended
    t.is(exitCode, 130, stderr)
    const text = await readFile(tap, 'utf8')
    const rows = [...text.matchAll(/^(ok|not ok) \d+ - (.*)$/gm)].map(([, outcome, what]) => `${outcome} ${what}`)
    const upgrades = "b → a: Newer packages come from the neighbour's mirror, and edited files are kept"
    for (const row of [
      "ok apt-mirror: b → a: A package installs from the neighbour's mirror",
      `ok apt-mirror: ${upgrades}${newer.length > 0 ? '' : ' # SKIP'}`,
      "ok ssb-pub: b → a: after an invite, a message of the neighbour's pub comes to this one",
      'ok yggdrasil: a → b: Neighbours find each other, and pings go both ways over the mesh',
      'ok yggdrasil: b → a: Neighbours find each other, and pings go both ways over the mesh',
    ]) {
      t.true(rows.includes(row), `${row}\n${text}`)
    }
    t.false(text.includes('\nnot ok '), `${text}\n${stderr}`)
    t.regex(await readFile(junit, 'utf8'), /<testsuites name=".+ on virt" tests="\d+" failures="0"/)
    for (const path of images) t.deepEqual(await processesWith(path), [])
    t.deepEqual(await scratchNames(), scratchBefore)
    t.deepEqual(await Promise.all(images.map((path) => hashFile(path))), digests)
  },
)

realTest(title('lab: Ctrl-C while the nodes boot leaves nothing'), async (t) => {
  t.timeout(300_000)
  const image = await bakedImage()
  const scratchBefore = await scratchNames()
  const started = startLab(t, [image, '--nodes', '3', '--topology', 'full'])
  const isOver = started.ended.then(() => true)
  const isBooting = async (): Promise<boolean> => {
    const lines = (await processesWith(projectAt(checkout).work)).filter((line) => line.includes('qemu-system-aarch64'))
    return lines.some((line) => line.includes('hubport')) && lines.some((line) => line.includes(image))
  }
  while (!(await isBooting())) {
    if (await Promise.race([isOver, sleep(200, false)])) return t.fail(started.printed().stderr)
  }
  started.interrupt()
  const { exitCode, stdout } = await started.ended
  t.is(exitCode, 130)
  t.is(stdout, '')
  t.deepEqual(await processesWith(image), [])
  t.deepEqual(await scratchNames(), scratchBefore)
})
