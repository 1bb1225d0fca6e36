import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { startLab } from '../../builder/boot/lab.ts'
import { topologyOf } from '../../builder/boot/topology.ts'
import { bakedImage, bootFolder, whyNoImage } from '../boot/_image.ts'
import { sshKey } from '../card/_takes.ts'
import { openBrowser } from '../stages/_browser.ts'
import { makeDevice, noDevices } from '../support/block-device.ts'
import { makeCheckout } from '../support/checkout.ts'
import { tools } from '../support/tools.ts'
import { findChromium } from '../support/web-tools.ts'

const chromium = await findChromium()
const why = whyNoImage('mesh') ?? noDevices ?? (chromium === undefined ? 'no Chromium to read labels with' : undefined)
const realTest = why === undefined ? test.serial : test.serial.skip

const otherKey = sshKey.replace('IJdD7y3a', 'IJdD7y3b').replace('ada@desk', 'bob@desk')
const roster = [
  'hostname,role,wifi,passphrase,keys,peers,user,portal.title',
  `alder,At the gate,"Anna's; ""Café""","river\\and, stones",${sshKey},tls://192.0.2.1:9001,ada,"The ""orchard"", it's"`,
  `birch,,,,${otherKey},,,`,
  '',
].join('\n')

const diskBytes = 3 * 2 ** 30

/** What a node says of itself, one value a line. */
const asked = [
  'cat /proc/sys/kernel/hostname',
  'sort -u /root/.ssh/authorized_keys',
  '. /etc/pibake/yggdrasil.conf; echo "$PEERS"',
  '. /etc/pibake/portal.conf; echo "$TITLE"',
  "stat -c '%U %a' /var/lib/pibake/access-point/card",
  'ls /boot/firmware | grep -Ex "hostname|authorized_keys|access-point|settings|wifi|one-time-password" || echo none left',
].join('\n')

/**
 * Log in for the first time over SSH, with the password of the label: the node wants another one and then ends. Says what
 * the node says.
 */
const firstLogin = (user: string, password: string, fresh: string): string =>
  [
    'mkdir -p /root/login && cd /root/login',
    `say() { printf '#!/bin/sh\\necho %s\\n' "$1" >ask; chmod 0700 ask; }`,
    `go() { SSH_ASKPASS=/root/login/ask SSH_ASKPASS_REQUIRE=force ssh -o StrictHostKeyChecking=no -o LogLevel=ERROR -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1 ${user}@127.0.0.1 "$@"; }`,
    `say ${password}`,
    `{ sleep 10; echo ${password}; sleep 4; echo ${fresh}; sleep 4; echo ${fresh}; sleep 4; } | go -tt 2>&1 | tail -n 6`,
    'cd /; rm -rf /root/login',
  ].join('\n')

realTest(
  `two cards of one roster are nodes of their own, and the password of a label is good for one login${why ? ` (${why})` : ''}`,
  async (t) => {
    t.timeout(3_600_000)
    const image = await bakedImage('mesh')
    const folder = await bootFolder(t)
    const { runJson, remove } = await makeCheckout()
    t.teardown(remove)
    const devices = [await makeDevice(t, diskBytes), await makeDevice(t, diskBytes)]
    const [cards, labels] = [join(folder, 'cards.csv'), join(folder, 'labels.html')]
    await writeFile(cards, roster)
    const to = ['--to', ...devices.map(({ path }) => path)]
    const flashed = await runJson(['flash', image, ...to, '--roster', cards, '--labels', labels, '--yes'])
    t.is(flashed.exitCode, 0, flashed.stderr.slice(-3000))

    await using browser = await openBrowser(chromium ?? '')
    await using sheet = await browser.newPage()
    await sheet.goto(pathToFileURL(labels).href)
    const passwords = await sheet.locator('.password').allTextContents()
    t.is(passwords.length, 2)

    const scratch = join(folder, 'lab')
    await mkdir(scratch)
    // They are the nodes `a` and `b` of the lab, which leaves a card its own name.
    await using lab = await startLab({
      ...{ tools, scratch, emit: () => undefined },
      images: devices.map(({ file }) => file),
      topology: topologyOf([['a', 'b']]),
    })
    const [alder, birch] = lab.nodes.map(({ guest }) => guest)
    if (!alder || !birch) return t.fail()
    const say = async (guest: typeof alder, script: string, timeoutMs = 60_000): Promise<string> =>
      (await guest.run(script, { timeoutMs })).output.trim()
    for (const guest of [alder, birch]) t.is(guest.state, 'running', await say(guest, 'systemctl --failed --no-legend'))

    t.is(
      await say(alder, asked),
      ['alder', sshKey, 'tls://192.0.2.1:9001', `The "orchard", it's`, 'root 600', 'none left'].join('\n'),
    )
    t.is(await say(birch, asked), ['birch', otherKey, '', '', 'root 600', 'none left'].join('\n'))
    t.is(await say(alder, 'getent passwd ada admin | cut -d: -f1'), 'ada')
    t.is(await say(birch, 'getent passwd ada admin | cut -d: -f1'), 'admin')
    // Side by side: each is found by its own name on the wire between them.
    const find = (name: string): string =>
      `for try in $(seq 30); do avahi-resolve --name ${name}.local | grep . && break; sleep 2; done`
    t.regex(await say(alder, find('birch'), 120_000), /^birch\.local\s/m)
    t.regex(await say(birch, find('alder'), 120_000), /^alder\.local\s/m)

    const users = ['ada', 'admin']
    for (const [index, guest] of [alder, birch].entries()) {
      const login = await say(guest, firstLogin(users[index] ?? '', passwords[index] ?? '', 'Quite-another-7'), 240_000)
      t.regex(login, /password updated successfully/)
    }
    t.true((await readFile(labels, 'utf8')).includes('<code>ssh ada@alder.local</code>'))
  },
)
