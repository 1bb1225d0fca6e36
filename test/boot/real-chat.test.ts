import test from 'ava'
import { bootImage } from '../../builder/boot/boot.ts'
import { freePort } from '../../builder/boot/relay.ts'
import { tools } from '../support/tools.ts'
import { findWebTools } from '../support/web-tools.ts'
import { converse } from './_conversation.ts'
import { bakedImage, bootFolder, profileWith, whyNoImage } from './_image.ts'

const webTools = await findWebTools()
const profile = await profileWith('matrix-web', ['community', 'matrix'])
const missing = whyNoImage(profile) ?? (typeof webTools === 'string' ? webTools : undefined)
const title = 'two people talk in two browsers by way of a booted node, encrypted, and their pages ask nobody else'

if (missing !== undefined || typeof webTools === 'string') {
  test.skip(`${title} (${missing})`, () => {})
} else {
  test.serial(title, async (t) => {
    t.timeout(2_400_000)
    const image = await bakedImage(profile)
    const folder = await bootFolder(t)
    const ports = { http: await freePort(), https: await freePort() }
    const forwards = [
      { guest: 80, host: ports.http },
      { guest: 443, host: ports.https },
    ]
    await using guest = await bootImage({ tools, image, board: 'virt', scratch: folder, forwards, emit: () => {} })
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
