import test from 'ava'
import { bootImage } from '../../builder/boot/boot.ts'
import { collectChecks, runChecks } from '../../builder/boot/checks.ts'
import { freePort } from '../../builder/boot/relay.ts'
import { isFailure } from '../../builder/boot/report.ts'
import { projectAt } from '../../builder/core/project.ts'
import { makeScratch } from '../../builder/host/scratch.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import { checkout, tools } from '../support/tools.ts'
import { findWebTools } from '../support/web-tools.ts'
import { converse } from './_conversation.ts'
import { bakedImage, whyNoImage } from './_image.ts'

const project = projectAt(checkout)
const webTools = await findWebTools()
const missing = whyNoImage('community')
const emit = (): void => {}

const titles = {
  chat: 'two people talk in two browsers by way of a community node, encrypted, and their pages ask nobody else',
  checks: 'a community node passes the checks of all its stages within 1 GiB of memory',
}

/** One boot for both tests: it takes minutes. */
const resources = new AsyncDisposableStack()
test.after.always(() => resources.disposeAsync())

const bootCommunity = async () => {
  const image = await bakedImage('community')
  const scratch = resources.use(await makeScratch(project.work))
  const ports = { http: await freePort(), https: await freePort() }
  const forwards = [
    { guest: 80, host: ports.http },
    { guest: 443, host: ports.https },
  ]
  const request = { tools, image, board: 'virt', memoryMiB: 1024, scratch: scratch.path, forwards, emit } as const
  return { guest: resources.use(await bootImage(request)), ports, folder: scratch.path }
}
let booting: ReturnType<typeof bootCommunity> | undefined
const booted = (): ReturnType<typeof bootCommunity> => {
  booting ??= bootCommunity()
  return booting
}

if (missing !== undefined || typeof webTools === 'string') {
  test.skip(`${titles.chat} (${missing ?? webTools})`, () => {})
} else {
  test.serial(titles.chat, async (t) => {
    t.timeout(2_400_000)
    const { guest, ports, folder } = await booted()
    t.log(`booted in ${Math.round(guest.bootMs / 1000)} s: ${guest.state}`)
    const run = async (script: string): Promise<string> => {
      const { output, exitCode } = await guest.run(script, { timeoutMs: 300_000 })
      if (exitCode !== 0) throw new Error(`${script}: ${exitCode}\n${output}`)
      return output
    }
    const host = `${await run('cat /proc/sys/kernel/hostname')}.local`
    await converse(t, { host, ports, run }, webTools, folder)
  })
}

if (missing !== undefined) {
  test.skip(`${titles.checks} (${missing})`, () => {})
} else {
  test.serial(titles.checks, async (t) => {
    t.timeout(2_400_000)
    const { guest } = await booted()
    const results = await runChecks(guest, await collectChecks(guest), { id: 'checks', emit })
    t.deepEqual(
      results.filter(isFailure).map(({ stage, title, output }) => `${stage}: ${title}\n${output}`),
      [],
    )
    const asked = new Set(results.map(({ stage }) => stage))
    const { stages } = await resolveProfile(project, 'community')
    for (const { stage } of stages) t.true(stage.checks.length === 0 || asked.has(stage.name), stage.name)
    t.log(results.find(({ name }) => name === 'memory')?.output)
  })
}
