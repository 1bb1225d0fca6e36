import { open, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ledgerPath } from '../../builder/card/ledger.ts'
import { placeFiles } from '../../builder/card/place-files.ts'
import type { Context } from '../../builder/cli/context.ts'
import { openCards } from '../../builder/cli/flash-cards.ts'
import { startFlasher } from '../../builder/cli/flash-write.ts'
import { projectAt } from '../../builder/core/project.ts'
import { findDevice } from '../../builder/flash/device.ts'
import { flashImage } from '../../builder/flash/flash.ts'
import { openSource } from '../../builder/flash/source.ts'
import { watchDrives } from '../../builder/flash/watch.ts'
import { runCommand } from '../../builder/host/command.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { mtoolsDrive } from '../../builder/image/open.ts'
import { fatTypes, readPartitionTable, sectorBytes } from '../../builder/image/table.ts'
import { findCodes } from '../card/_qr.ts'
import { sshKey } from '../card/_takes.ts'
import { makeDevice, makeFaultyDevice, noDevices, noFaults, type TestDevice } from '../support/block-device.ts'
import { makeCheckout } from '../support/checkout.ts'
import { scratch } from '../support/scratch.ts'
import { makeSmallImage } from '../support/small-image.ts'
import { checkout, tools } from '../support/tools.ts'

const realTest = noDevices === undefined ? test.serial : test.serial.skip
const faultTest = noFaults === undefined ? test.serial : test.serial.skip
if (noDevices !== undefined) test(`skipped: ${noDevices}`, (t) => t.pass())

const mib = 1 << 20
const env = { MTOOLS_SKIP_CHECK: '1' }

/** An image that takes what one of `mesh` takes, as far as it can be seen from outside. */
const makeImage = async (t: ExecutionContext): Promise<string> => {
  const stages = ['first-boot', 'ssh', 'imager', 'yggdrasil', 'access-point', 'avahi', 'portal']
  const declared = stages.map((name) => [
    `usr/share/pibake/stages/${name}.json`,
    JSON.stringify({ name, version: '1' }),
  ])
  return makeSmallImage(await scratch(t), {
    files: {
      ...Object.fromEntries(declared),
      'etc/passwd': 'root:x:0:0:root:/root:/bin/bash\n',
      'etc/pibake/yggdrasil.conf': "PEERS=''\n",
      'etc/pibake/access-point.conf': "SSID=''\nOPEN='false'\nCOUNTRY=''\nADDRESS='10.43.0.1'\nDOMAIN='mesh'\n",
      'usr/lib/pibake/first-boot/take-settings': '#!/bin/sh\n',
      'usr/lib/pibake/imager/card': '#!/bin/sh\n',
    },
  })
}

const driveOf = async (file: string): Promise<string> => {
  const { partitions } = await readPartitionTable(file)
  const boot = partitions.find(({ type }) => fatTypes.has(type))
  return mtoolsDrive(file, (boot?.startSector ?? 0) * sectorBytes)
}

/** What is on the boot partition of a card, as mtools reads it. */
const readBoot = async ({ file }: TestDevice): Promise<Record<string, string>> => {
  const drive = await driveOf(file)
  const run = (argv: string[]) => runTool(tools, argv, { readOnly: [file], env })
  const { stdout } = await run(['mdir', '-b', '-i', drive, '::'])
  const names = stdout.split('\n').flatMap((line) => line.trim().replace(/^::\//, '') || [])
  const texts = await Promise.all(
    names.map(async (name) => [name, (await run(['mcopy', '-i', drive, `::${name}`, '-'])).stdout] as const),
  )
  return Object.fromEntries(texts)
}

/** A checkout with a ledger of its own, and how it flashes. */
const ownCheckout = async (t: ExecutionContext) => {
  const { project, runJson, remove } = await makeCheckout()
  t.teardown(remove)
  return { project, flash: (...args: readonly string[]) => runJson(['flash', ...args, '--yes']) }
}

const phrase = 'river, and stones'

realTest('two cards of one roster get what is their own, and labels; the next run goes on behind them', async (t) => {
  t.timeout(600_000)
  const { project, flash } = await ownCheckout(t)
  const [folder, image] = [await scratch(t), await makeImage(t)]
  const devices = [await makeDevice(t, 80 * mib), await makeDevice(t, 80 * mib)]
  const [roster, labels] = [join(folder, 'cards.csv'), join(folder, 'labels.html')]
  await writeFile(
    roster,
    `hostname;role;wifi;passphrase;keys;peers\nalder;Gate;Square;"${phrase}";${sshKey};tls://192.0.2.1:9001\nbirch;;;;;\ncedar;;;;;\n`,
  )
  const paths = devices.map(({ path }) => path)
  const { exitCode, stdout, stderr, data } = await flash(
    image,
    '--to',
    ...paths,
    '--roster',
    roster,
    '--labels',
    labels,
  )
  t.is(exitCode, 0, stderr)
  const { cards } = data as { cards: { card: string; outcome: string }[] }
  t.deepEqual(
    cards.map(({ card, outcome }) => [card, outcome]),
    [
      ['alder', 'done'],
      ['birch', 'done'],
    ],
  )

  const [first, second] = devices
  if (!first || !second) return
  const alder = await readBoot(first)
  t.deepEqual(Object.keys(alder).sort(), [
    'access-point',
    'authorized_keys',
    'hostname',
    'one-time-password',
    'settings',
  ])
  t.is(alder.hostname, 'alder')
  t.is(alder['access-point'], `ssid=Square\npassphrase=${phrase}`)
  t.is(alder.authorized_keys, sshKey)
  t.is(alder.settings, 'yggdrasil.peers=tls://192.0.2.1:9001')
  const birch = await readBoot(second)
  t.deepEqual(Object.keys(birch).sort(), ['access-point', 'hostname', 'one-time-password'])
  t.not(birch['one-time-password'], alder['one-time-password'])
  for (const { file } of devices) {
    const part = join(folder, 'boot.img')
    await runCommand(['dd', `if=${file}`, `of=${part}`, 'bs=1M', 'skip=8', 'count=40', 'status=none'])
    await t.notThrowsAsync(runTool(tools, ['fsck.vfat', '-n', part], { readOnly: [part] }))
  }

  const page = await readFile(labels, 'utf8')
  t.is((await stat(labels)).mode & 0o777, 0o600)
  const made = /^passphrase=(.*)$/m.exec(birch['access-point'] ?? '')?.[1]
  t.deepEqual(
    findCodes(page).map(({ text }) => text),
    [
      'WIFI:T:WPA;S:Square;P:river\\, and stones;;',
      'http://10.43.0.1/',
      `WIFI:T:WPA;S:birch;P:${made};;`,
      'http://10.43.0.1/',
    ],
  )
  t.true(stderr.includes(`The card in \`${paths[0]?.slice(5)}\` is \`alder\`.`))
  const password = [...page.matchAll(/class="password">(.*?)<\/code>/g)].map(([, spans = '']) =>
    spans.replaceAll(/<.*?>/g, ''),
  )
  for (const [index, card] of [alder, birch].entries()) {
    const hash = card['one-time-password']?.replace(/^admin:/, '') ?? ''
    const check = ['perl', '-e', '$_ = <STDIN>; chomp; my ($h, $p) = split / /; print crypt($p, $h) eq $h']
    t.is((await runTool(tools, check, { input: `${hash} ${password[index]}\n` })).stdout, '1')
  }

  const ledger = await readFile(ledgerPath(project), 'utf8')
  const entries = ledger
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>)
  t.deepEqual(entries.map((entry) => [entry.hostname, entry.device?.name]).sort(), [
    ['alder', paths[0]?.slice(5)],
    ['birch', paths[1]?.slice(5)],
  ] as never)
  const { stdout: log } = await runCommand(['sh', '-c', `cat ${project.state}/logs/*`])
  for (const [what, text] of Object.entries({ stdout, stderr, ledger, log })) {
    for (const secret of [phrase, made, ...password]) t.false(text.includes(secret ?? 'none'), `no secret in ${what}`)
  }

  const to = ['--to', paths[0] ?? '', '--roster', roster]
  const again = await flash(image, '--to', ...paths, '--roster', roster)
  t.is(again.exitCode, 2)
  t.is(again.failure?.message, 'The roster has 1 card left, and 2 drives are named.')
  t.is((await readBoot(first)).hostname, 'alder', 'nothing was written')
  const last = await flash(image, ...to)
  t.is(last.exitCode, 0, last.stderr)
  t.deepEqual(await readBoot(first), { hostname: 'cedar' })
  t.regex(last.stderr, /Written before, and left out: `alder`, `birch`\./)
  const none = await flash(image, ...to)
  t.regex(none.failure?.message ?? '', /^All cards of .* were written before\.$/)
  const only = await flash(image, ...to, '--only', 'birch')
  t.is(only.exitCode, 0, only.stderr)
  t.deepEqual(await readBoot(first), { hostname: 'birch' })
})

realTest('without a roster each card gets a name that was made for it', async (t) => {
  t.timeout(600_000)
  const { flash } = await ownCheckout(t)
  const [folder, image] = [await scratch(t), await makeImage(t)]
  const device = await makeDevice(t, 80 * mib)
  await runTool(tools, ['xz', '-0', '--keep', image], { writable: [join(image, '..')] })
  const labels = join(folder, 'labels.html')
  const { exitCode, stderr, data } = await flash(`${image}.xz`, '--to', device.path, '--labels', labels)
  t.is(exitCode, 0, stderr)
  const name = (data as { cards: { card: string }[] }).cards[0]?.card ?? ''
  t.regex(name, /^[a-z]{4}-[a-z]{4}$/)
  t.is((await readBoot(device)).hostname, name)
  t.true((await readFile(labels, 'utf8')).includes(`<h2>${name}</h2>`))
})

realTest('what is wrong with a roster is said before a drive is opened', async (t) => {
  t.timeout(300_000)
  const { flash } = await ownCheckout(t)
  const [folder, image] = [await scratch(t), await makeImage(t)]
  const device = await makeDevice(t, 80 * mib)
  const before = await readFile(device.file)
  const [roster, labels] = [join(folder, 'cards.csv'), join(folder, 'labels.html')]
  const mistakes: readonly [text: string, says: RegExp][] = [
    ['hostname,passphrase\nalder,short\n', /cards\.csv:2:7: a pass phrase of Wi-Fi has 8 to 63/],
    ['hostname,mumble.port\nalder,7\n', /cards\.csv:2:7: the image has no stage `mumble`/],
  ]
  for (const [text, says] of mistakes) {
    await writeFile(roster, text)
    const { exitCode, failure } = await flash(image, '--to', device.path, '--roster', roster, '--labels', labels)
    t.is(exitCode, 2)
    t.regex(failure?.details.join('\n') ?? '', says)
    await t.throwsAsync(stat(labels), { code: 'ENOENT' })
  }
  await writeFile(labels, 'of yesterday')
  const { exitCode, failure } = await flash(image, '--to', device.path, '--labels', labels)
  t.is(exitCode, 2)
  t.regex(failure?.message ?? '', /is there already/)
  t.true((await readFile(device.file)).equals(before))
})

/** Flash one card with one file of its own, by the engine itself. */
const flashOwn = async (image: string, path: string, verify = true) => {
  const files = new Map([['hostname', Buffer.from('alder\n')]])
  const own = await placeFiles({ path: image, label: 'pi.img' }, files, new Date())
  const source = await openSource(image, { label: 'pi.img', tools: async () => tools })
  const done: string[] = []
  const [result] = await flashImage(source, [await findDevice(path)], {
    tools: async () => tools,
    own: [own],
    onCard: async ({ outcome }) => void done.push(outcome),
    ...{ verify, emit: () => undefined, signal: new AbortController().signal },
  })
  return { result, own, done }
}

faultTest('a card that gives back its own part changed is not done, and nothing starts from it', async (t) => {
  const image = await makeImage(t)
  const { own } = await flashOwn(image, (await makeDevice(t, 80 * mib)).path)
  const content = own.at(-1)
  if (!content) return t.fail()
  const device = await makeFaultyDevice(t, 80 * mib, { flips: content.position + 3 })
  const { result, done } = await flashOwn(image, device.path)
  t.is(result?.outcome, 'failed')
  t.deepEqual(done, ['failed'])
  t.regex(result?.failure instanceof Error ? result.failure.message : '', /gives back other bytes than were written/)
  await using file = await open(device.file, 'r')
  const { buffer } = await file.read(Buffer.alloc(mib), 0, mib, 0)
  t.true(buffer.equals(Buffer.alloc(mib)))
})

realTest('an image that has such a file already is refused', async (t) => {
  const image = await makeImage(t)
  const drive = await driveOf(image)
  await runTool(tools, ['mcopy', '-i', drive, '-', '::HOSTNAME'], { writable: [image], env, input: 'old\n' })
  await t.throwsAsync(flashOwn(image, (await makeDevice(t, 80 * mib)).path), { code: 'IMAGE_INVALID' })
})

faultTest(
  'of drives that come one by one each gets the next card, and that of a broken one goes to the next',
  async (t) => {
    t.timeout(300_000)
    const [image, folder] = [await makeImage(t), await scratch(t)]
    const bad = await makeFaultyDevice(t, 80 * mib, { badFrom: 8 * mib, badTo: 9 * mib })
    const good = [await makeDevice(t, 80 * mib), await makeDevice(t, 80 * mib)]
    const devices = await Promise.all([bad, ...good].map(({ path }) => findDevice(path)))
    const context: Context = {
      project: { ...projectAt(checkout), images: folder },
      options: { json: false, verbose: false, yes: true, offline: false, color: false },
      signal: new AbortController().signal,
      isOffline: true,
      emit: () => undefined,
      continueOffline: async () => ({}),
      terminal: { input: process.stdin, output: process.stdout },
    }
    const options = { roster: join(folder, 'cards.csv'), labels: undefined, only: [] }
    await writeFile(options.roster, 'hostname\nalder\nbirch\n')
    const source = await openSource(image, { label: 'pi.img', tools: async () => tools })
    await using cards = await openCards(context, options, source)
    const { flash, finished } = startFlasher(context, { source, verify: true, cards, options })
    let looks = 0
    const results = await watchDrives({
      // Loop devices stand for what the kernel would list as removable.
      list: async () => {
        looks += 1
        return looks === 1 ? [] : devices
      },
      ...{ flash, atOnce: 1, intervalMs: 20, emit: context.emit, signal: finished },
    })
    t.deepEqual(
      results.map((result) => [result.outcome, cards.nameOf(result)]),
      [
        ['failed', 'alder'],
        ['done', 'alder'],
        ['done', 'birch'],
      ],
    )
    for (const [index, name] of ['alder', 'birch'].entries()) {
      const device = good[index]
      if (device) t.deepEqual(await readBoot(device), { hostname: name })
    }
  },
)
