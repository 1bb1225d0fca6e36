import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { bootImage, type Guest } from '../../builder/boot/boot.ts'
import { allowTime, collectChecks, runChecks } from '../../builder/boot/checks.ts'
import { formatDuration } from '../../builder/core/size.ts'
import { keepWrites, openBootPartition } from '../boot/_disk.ts'
import { bootFolder } from '../boot/_image.ts'
import { makeCheckout } from '../support/checkout.ts'
import { checkout as original, tools } from '../support/tools.ts'
import { makeKitOf } from './_machine.ts'
import { makeStickImage } from './_stick.ts'

const ifRoot = process.getuid?.() === 0 ? test.serial : test.serial.skip

const bootMs = 1_200_000
const installMs = 1_800_000
/** How much longer than they ask for checks may take, beside other tests. */
const patience = 3

/** Debian with a kernel, and room for a pub: no stage is in it. */
const plain = ['stages: []', 'image: {marginMiB: 512}']

/** Where the documents tell people to mount a stick. */
const mountPoint = '/media/stick'

const unasked = 'set -e; export DEBIAN_FRONTEND=noninteractive'
const whoItIs = 'hostname; cat /etc/hostname /etc/hosts; readlink /etc/localtime'

/**
 * The commands in the first block of code below a heading of a document that speaks of apt. Whoever runs them is root, and
 * nobody is there to answer questions.
 */
const aptCommands = async (document: string, heading: string): Promise<string> => {
  const text = await readFile(join(original, 'docs', document), 'utf8')
  const section = text.slice(text.indexOf(`\n${heading}\n`))
  const blocks = [...section.matchAll(/^```(?:sh)?\n([\s\S]*?)^```/gm)].map(([, block = '']) => block)
  const found = blocks.find((block) => /^(?:sudo )?apt update$/m.test(block))
  if (found === undefined) throw new Error(`docs/${document} says nothing of apt below ${heading}`)
  return `${unasked}\n${found.replaceAll(/^sudo /gm, '')}`
}

/** What comes of commands in a guest, or the failure of the test. */
const runIn = async (t: ExecutionContext, guest: Guest, script: string, timeoutMs = 120_000): Promise<string> => {
  const startedAt = performance.now()
  const { output, exitCode } = await guest.run(script, { timeoutMs })
  t.is(exitCode, 0, `${script}\n${output}`)
  if (timeoutMs === installMs) t.log(`installed in ${formatDuration(performance.now() - startedAt)}`)
  return output
}

/** Put the checks of stages to the guest, as a boot test does. */
const askStages = async (t: ExecutionContext, guest: Guest, stages: readonly string[]): Promise<void> => {
  const checks = (await collectChecks(guest)).filter(({ stage }) => stages.includes(stage))
  t.deepEqual([...new Set(checks.map(({ stage }) => stage))].sort(), [...stages].sort())
  const results = await runChecks(guest, allowTime(checks, patience), { id: 'checks', emit: () => {} })
  for (const { stage, name, outcome, durationMs, output } of results) {
    t.true(outcome === 'passed' || outcome === 'skipped', `${stage} ${name}: ${outcome}\n${output}`)
    t.log(`${stage} ${name}: ${outcome}, ${formatDuration(durationMs)}`)
  }
}

const isRunning = async (t: ExecutionContext, guest: Guest): Promise<void> => {
  t.is(await runIn(t, guest, 'systemctl is-system-running || systemctl --failed --no-legend'), 'running')
  t.is(await runIn(t, guest, 'dpkg --audit'), '')
}

ifRoot('Debian with nothing but a stick as apt source gets a pub, and a front page, and both run', async (t) => {
  t.timeout(7_200_000)
  const folder = await bootFolder(t)
  const checkout = await makeCheckout({ isWarm: true })
  t.teardown(checkout.remove)
  const { project, runJson, addProfile } = checkout
  await addProfile('plain', plain)
  const baked = await runJson(['--profile', 'plain', '--offline'])
  t.is(baked.exitCode, 0, baked.stderr.slice(-3000))
  const disk = join(project.root, String(baked.data.image))
  const partition = await openBootPartition(disk)
  // A Debian that nobody has set up asks at its console for languages and passwords.
  await partition.write('cmdline.txt', `${(await partition.read('cmdline.txt')).trim()} systemd.firstboot=no\n`)

  const content = join(project.root, 'stick')
  await makeKitOf(checkout, content, ['pub'])
  const repository = ['--into', join(content, 'packages'), '--uri', `file:${mountPoint}/packages`]
  const key = ['--key', join(project.root, 'kit-key.asc')]
  const made = await runJson(['deb', 'ssb-pub', 'portal', '--profile', 'pub', '--with-debian', ...repository, ...key])
  t.is(made.exitCode, 0, made.stderr.slice(-3000))
  const stick = join(folder, 'stick.img')
  await makeStickImage(stick, content)

  const writeLog = join(folder, 'writes.log')
  const request = { tools, image: disk, board: 'virt' as const, scratch: folder, timeoutMs: bootMs, emit: () => {} }
  let pub: string
  {
    await using guest = await bootImage({ ...request, sticks: [stick], writeLog })
    const run = (script: string, timeoutMs?: number): Promise<string> => runIn(t, guest, script, timeoutMs)
    t.log(`booted in ${formatDuration(guest.bootMs)}`)
    t.is(await run("dpkg-query --list 'pibake*' 2>/dev/null || true"), '')
    t.is(await run('cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true'), '')
    await run(`mkdir ${mountPoint} && mount -o ro /dev/disk/by-label/STICK ${mountPoint}`)
    t.is(await run(`findmnt -no FSTYPE ${mountPoint}`), 'vfat')
    await run(`echo 'APT::Get::Assume-Yes "true"; Dpkg::Use-Pty "false";' >/etc/apt/apt.conf.d/90test`)

    const said = await run(await aptCommands('kit.md', '## An apt source'), installMs)
    t.regex(said, /^Setting up pibake-ssb-pub /m)
    t.notRegex(said, /^[WE]: /m, 'apt warns of nothing')
    t.is(await run('systemctl is-active pibake-ssb-pub.service'), 'active')
    await isRunning(t, guest)
    await askStages(t, guest, ['ssb-pub'])
    pub = await run('pibake-ssb whoami')

    await run(`${unasked}; apt-get install -q tzdata; ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime`, installMs)
    const known = await run(whoItIs)
    await run('rm /etc/apt/sources.list.d/*')
    const more = await run(await aptCommands('serve.md', '## Packages for a Pi that runs'), installMs)
    t.regex(more, /^Setting up pibake-portal /m)
    t.notRegex(more, /^[WE]: /m, 'apt warns of nothing')
    t.is(await run(whoItIs), known, 'its name and time zone are those that people know')
    await isRunning(t, guest)
    await askStages(t, guest, ['portal'])
    await guest.poweroff()
  }

  await keepWrites(disk, writeLog)
  await rm(writeLog)
  await using guest = await bootImage(request)
  t.log(`booted again, without the stick, in ${formatDuration(guest.bootMs)}`)
  t.is(await runIn(t, guest, 'pibake-ssb whoami'), pub)
  await isRunning(t, guest)
  await askStages(t, guest, ['ssb-pub', 'portal', 'first-boot'])
})
