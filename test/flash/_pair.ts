import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ExecutionContext } from 'ava'
import type { Browser, Locator } from 'playwright-core'
import type { Guest } from '../../builder/boot/boot.ts'
import { startLab } from '../../builder/boot/lab.ts'
import { checkIdentities } from '../../builder/boot/lab-identity.ts'
import { topologyOf } from '../../builder/boot/topology.ts'
import { runCommand } from '../../builder/host/command.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { inspectBase, mtoolsDrive } from '../../builder/image/open.ts'
import { bootFolder } from '../boot/_image.ts'
import { openBrowser } from '../stages/_browser.ts'
import { makeDevice } from '../support/block-device.ts'
import { makeCheckout } from '../support/checkout.ts'
import { readQrPicture } from '../support/qr-picture.ts'
import { tools } from '../support/tools.ts'

/** What is printed on a label: what people read, by its heading, and what a camera makes of its codes. */
export interface SeenLabel {
  hostname: string
  facts: ReadonlyMap<string, readonly string[]>
  codes: readonly (string | undefined)[]
}

/** One of two nodes, booted from cards of one roster. */
export interface Card {
  label: SeenLabel
  guest: Guest
  /** Run a script in the node, and get what it printed. */
  say(script: string, timeoutMs?: number): Promise<string>
}

const diskBytes = 3 * 2 ** 30

/**
 * A copy of the image for a machine with three radios, `wlan0` to `wlan2`, that the kernel simulates (mac80211_hwsim) and
 * that are there as early as that of a Pi.
 */
const withRadios = async (folder: string, original: string): Promise<string> => {
  const image = join(folder, 'image.img')
  await runCommand(['cp', '--sparse=always', '--reflink=auto', original, image])
  const drive = mtoolsDrive(image, (await inspectBase(image)).boot.offsetBytes)
  const env = { MTOOLS_SKIP_CHECK: '1' }
  const read = ['mcopy', '-i', drive, '::cmdline.txt', '-']
  const { stdout } = await runTool(tools, read, { readOnly: [image], env })
  const input = `${stdout.trim()} modules_load=mac80211_hwsim mac80211_hwsim.radios=3\n`
  await runTool(tools, ['mcopy', '-o', '-i', drive, '-', '::cmdline.txt'], { writable: [image], env, input })
  return image
}

const readLabel = async (browser: Browser, article: Locator): Promise<SeenLabel> => {
  const names = await article.locator('dt').allTextContents()
  const values = await Promise.all(
    names.map((_, index) => article.locator('dd').nth(index).locator('code').allTextContents()),
  )
  const codes: (string | undefined)[] = []
  for (const svg of await article.locator('svg').all()) codes.push(await readQrPicture(browser, await svg.screenshot()))
  return {
    hostname: (await article.locator('h2').textContent()) ?? '',
    facts: new Map(names.map((name, index) => [name, values[index] ?? []])),
    codes,
  }
}

/** Read a sheet of labels as it is shown: its text, and pictures of its codes. */
const readSheet = async (browser: Browser, path: string): Promise<SeenLabel[]> => {
  await using page = await browser.newPage()
  await page.goto(pathToFileURL(path).href)
  const labels: SeenLabel[] = []
  for (const article of await page.locator('article').all()) labels.push(await readLabel(browser, article))
  return labels
}

export interface Pair {
  browser: Browser
  first: Card
  second: Card
}

/**
 * Flash the first two cards of a roster with `./pibake flash`, and boot them side by side, on one wire; both have what is
 * in `fixtures` at `/root`. They are asked for what they have in common, which must be nothing.
 */
export const bootPair = async (
  t: ExecutionContext,
  { image, roster, chromium }: { image: string; roster: readonly string[]; chromium: string },
): Promise<Pair> => {
  const folder = await bootFolder(t)
  const { runJson, remove } = await makeCheckout()
  t.teardown(remove)
  const devices = [await makeDevice(t, diskBytes), await makeDevice(t, diskBytes)]
  const [cards, sheet] = [join(folder, 'cards.csv'), join(folder, 'labels.html')]
  await writeFile(cards, `${roster.join('\n')}\n`)
  const to = ['--to', ...devices.map(({ path }) => path)]
  const source = await withRadios(folder, image)
  const flashed = await runJson(['flash', source, ...to, '--roster', cards, '--labels', sheet, '--yes'])
  if (flashed.exitCode !== 0) throw new Error(flashed.stderr.slice(-3000))

  const browser = await openBrowser(chromium)
  t.teardown(() => browser.close())
  const labels = await readSheet(browser, sheet)

  const scratch = join(folder, 'lab')
  await mkdir(scratch)
  // They are the nodes `a` and `b` of the lab, which leaves a card its own name.
  const lab = await startLab({
    ...{ tools, scratch, emit: () => undefined },
    images: devices.map(({ file }) => file),
    topology: topologyOf([['a', 'b']]),
  })
  t.teardown(() => lab[Symbol.asyncDispose]())
  t.log(`booted in ${Math.round(lab.bootMs / 1000)} s`)
  const { outcome, output } = await checkIdentities(lab.nodes, undefined)
  t.is(outcome, 'passed', output)
  t.regex(output, /^compared \/etc\/ssh\/ssh_host_ed25519_key$/m)

  const booted: Card[] = []
  for (const [index, { guest }] of lab.nodes.entries()) {
    const label = labels[index]
    if (!label) throw new Error(`the sheet has ${labels.length} labels`)
    const say: Card['say'] = async (script, timeoutMs = 120_000) =>
      (await guest.run(script, { timeoutMs })).output.trim()
    t.is(guest.state, 'running', await say('systemctl --failed --no-legend'))
    for (const name of ['phone', 'village', 'first-login']) {
      const program = await readFile(join(import.meta.dirname, 'fixtures', `${name}.sh`))
      await guest.push(`/root/${name}`, program, 0o700)
    }
    booted.push({ label, guest, say })
  }
  const [first, second] = booted
  if (!first || !second) throw new Error('the lab has less than two nodes')
  return { browser, first, second }
}
