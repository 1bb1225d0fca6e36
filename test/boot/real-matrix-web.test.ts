import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { freePort } from '../../builder/boot/relay.ts'
import { runCommand } from '../../builder/host/command.ts'
import { openBrowser, takeScreenshot } from '../stages/_browser.ts'
import { checkout } from '../support/tools.ts'
import { findChromium } from '../support/web-tools.ts'
import { enterRoom, hear, meet, say } from './_chat.ts'
import { spawnPibake } from './_command.ts'

const image = process.env.PIBAKE_MATRIX_IMAGE ?? join(checkout, 'images', 'matrix.img')
const chromium = await findChromium()
const isThere = await access(image).then(
  () => true,
  () => false,
)
const missing = !isThere
  ? 'no image of the profile matrix is baked; PIBAKE_MATRIX_IMAGE names one elsewhere'
  : chromium === undefined
    ? 'this machine has no Chromium'
    : undefined
const title = 'two people chat in two browsers by way of a booted node, which is all that their pages ask'

if (missing !== undefined || chromium === undefined) {
  test.skip(`${title} (${missing})`, () => {})
} else {
  test.serial(title, async (t) => {
    t.timeout(1_800_000)
    const folder = await mkdtemp(join(tmpdir(), 'pibake-boot-'))
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    const key = join(folder, 'key')
    await runCommand(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key])
    const [ssh, https] = [await freePort(), await freePort()]
    const pibake = spawnPibake([
      'run',
      image,
      '--ssh-key',
      `${key}.pub`,
      '--forward',
      `${ssh}:22`,
      '--forward',
      `${https}:443`,
    ])
    let isOver = false
    void pibake.ended.then(() => {
      isOver = true
    })
    t.teardown(async () => {
      if (!isOver && pibake.process.pid !== undefined) process.kill(pibake.process.pid, 'SIGTERM')
      await pibake.ended
    })
    const untilDone = async (argv: readonly string[], input?: string): Promise<string> => {
      for (;;) {
        try {
          return (await runCommand(argv, input === undefined ? {} : { input })).stdout
        } catch (error) {
          if (isOver) throw error
          await sleep(3000)
        }
      }
    }
    const login = [
      'ssh',
      '-i',
      key,
      '-p',
      String(ssh),
      '-o',
      'StrictHostKeyChecking=no',
      '-o',
      'UserKnownHostsFile=/dev/null',
    ]
    const people = [
      { name: 'ana', password: 'one two three' },
      { name: 'bea', password: 'four five six' },
    ] as const
    for (const { name, password } of people) {
      t.log(
        await untilDone([...login, 'root@127.0.0.1', 'pibake-matrix', 'user', 'add', name, '--stdin'], `${password}\n`),
      )
    }

    const url = `https://127.0.0.1:${https}/`
    const browser = await openBrowser(chromium)
    t.teardown(() => browser.close())
    const [ana, bea] = people
    await meet(browser, url, [ana, bea], 'Water')
    const asked = new Set<string>()
    const first = await enterRoom(browser, { url, who: ana, title: 'Water', asked })
    const second = await enterRoom(browser, { url, who: bea, title: 'Water', asked })
    await say(first, 'The pump runs again')
    await hear(second, 'The pump runs again')
    await say(second, 'Good')
    await hear(first, 'Good')
    await takeScreenshot(t, second, 'chat')
    t.deepEqual([...asked], [new URL(url).origin])
  })
}
