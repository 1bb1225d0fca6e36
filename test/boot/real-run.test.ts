import { readdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { freePort } from '../../builder/boot/relay.ts'
import { hashFile } from '../../builder/core/digest.ts'
import { projectAt } from '../../builder/core/project.ts'
import { runCommand } from '../../builder/host/command.ts'
import { checkout } from '../support/tools.ts'
import { spawnPibake } from './_command.ts'
import { bakedImage, bootFolder, noImage, processesWith } from './_image.ts'

const realTest = noImage === undefined ? test.serial : test.serial.skip
const title = (name: string): string => (noImage === undefined ? name : `${name} (${noImage})`)

/** Ask until there is an answer that fits. */
const until = async (ask: () => Promise<string>, fits: RegExp, ended: Promise<unknown>): Promise<string> => {
  let isOver = false
  void ended.then(() => {
    isOver = true
  })
  for (;;) {
    const answer = await ask().catch((error: unknown) => String(error))
    if (fits.test(answer)) return answer
    if (isOver) throw new Error(`pibake ended before there was an answer; the last was: ${answer}`)
    await sleep(1000)
  }
}

const firstBytes = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1').setTimeout(5000, () => socket.destroy(new Error('nothing came')))
    socket.once('data', (bytes: Buffer) => {
      socket.destroy()
      resolve(bytes.toString('latin1'))
    })
    socket.on('error', reject).on('close', () => reject(new Error('closed')))
  })

const fetchText = async (url: string): Promise<string> =>
  (await fetch(url, { signal: AbortSignal.timeout(10_000) })).text()

const scratchNames = async (): Promise<string[]> => (await readdir(projectAt(checkout).work).catch(() => [])).sort()

realTest(title('run: ports are reachable on 127.0.0.1, Ctrl-A X shuts down, and nothing is left'), async (t) => {
  t.timeout(1_800_000)
  const image = await bakedImage()
  const before = await hashFile(image)
  const scratchBefore = await scratchNames()
  const folder = await bootFolder(t)
  const key = join(folder, 'key')
  const hasSsh = await runCommand(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key]).then(
    () => true,
    () => false,
  )
  if (!hasSsh) {
    t.log('no login over SSH: this machine has no ssh')
    await writeFile(
      `${key}.pub`,
      'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ x\n',
    )
  }
  const [ssh, http] = [await freePort(), await freePort()]
  const forwards = ['--forward', `${ssh}:22`, '--forward', `${http}:80`]
  const pibake = spawnPibake(['run', image, '--ssh-key', `${key}.pub`, ...forwards])
  const { ended } = pibake
  let isOver = false
  void ended.then(() => {
    isOver = true
  })
  t.teardown(async () => {
    // Not by execa, which kills what has not ended after 5 s: the guest is shut down first.
    if (!isOver && pibake.process.pid !== undefined) process.kill(pibake.process.pid, 'SIGTERM')
    await ended
  })

  // The page is up before the services that it lists.
  const page = await until(() => fetchText(`http://127.0.0.1:${http}/`), /<li id="ssb-pub">/, ended)
  t.regex(await until(() => firstBytes(ssh), /^SSH-/, ended), /^SSH-2\.0-/)
  if (hasSsh) {
    const options = ['BatchMode=yes', 'StrictHostKeyChecking=no', `UserKnownHostsFile=${folder}/hosts`]
    const login = ['ssh', '-F', 'none', '-i', key, '-p', String(ssh), ...options.flatMap((option) => ['-o', option])]
    const { stdout } = await runCommand([...login, 'root@127.0.0.1', 'id -un; cat /etc/hostname'])
    const [user, host] = stdout.split('\n')
    t.is(user, 'root')
    t.true(host !== undefined && page.includes(`<p class="host">${host}</p>`))
  }
  await until(async () => pibake.printed().stdout, /root@[\w-]+:~#/, ended)
  t.true((await processesWith(image)).some((line) => line.includes('qemu-system-aarch64')))

  pibake.process.stdin.write('\u0001x')
  const { exitCode, stdout, stderr } = await ended
  t.is(exitCode, 0, stderr)
  t.regex(stdout, /login: root \(automatic login\)/)
  t.regex(stdout, /reboot: Power down/)
  await t.throwsAsync(firstBytes(http), { message: /ECONNREFUSED/ })
  t.deepEqual(await processesWith(image), [])
  t.deepEqual(await scratchNames(), scratchBefore)
  t.is(await hashFile(image), before)
})
