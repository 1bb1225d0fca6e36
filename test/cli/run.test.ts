import { mkdir, readdir } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { freePort, serveRelay } from '../../builder/boot/relay.ts'
import { parseForward, run } from '../../builder/cli/run.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { projectAt } from '../../builder/core/project.ts'
import { scratchOwner } from '../../builder/host/scratch.ts'
import { scratch } from '../support/scratch.ts'

test('ports to forward', (t) => {
  t.deepEqual(parseForward('8080:80'), { host: 8080, guest: 80 })
  for (const wrong of ['80', '8080:', '0:80', '8080:65536', 'a:b', '1:2:3']) {
    t.throws(() => parseForward(wrong), { instanceOf: PibakeError, code: 'USAGE' }, wrong)
  }
})

test('the sockets of the relays are where the next command sweeps, however long the path', async (t) => {
  const root = join(await scratch(t), 'a'.repeat(200))
  await mkdir(root)
  const project = projectAt(root)
  const service = createServer((socket) => socket.end('the guest'))
  t.teardown(() => service.close())
  const [servicePort, outerPort] = [await freePort(), await freePort()]
  await new Promise<void>((resolve) => service.listen(servicePort, '127.0.0.1', resolve))

  const owner = await scratchOwner()
  let heard = ''
  const result = await run.run(
    {
      image: '/nonexistent.img',
      board: 'virt',
      forward: [`${outerPort}:80`],
      'ssh-key': undefined,
      'relay-folder': undefined,
    },
    {
      project,
      emit: () => {},
      signal: new AbortController().signal,
      options: { json: false, verbose: false, yes: false, offline: false, color: false },
      isOffline: false,
      terminal: { input: process.stdin, output: process.stdout },
      continueOffline: async (more = []) => {
        const [option, folder = ''] = more
        t.is(option, '--relay-folder')
        t.is(dirname(folder), project.work)
        t.true(basename(folder).startsWith(`${owner}.`))
        await using _inner = await serveRelay(join(folder, `${outerPort}.sock`), servicePort)
        heard = await text(connect(outerPort, '127.0.0.1'))
        return { exitCode: 7 }
      },
    },
  )
  t.is(heard, 'the guest')
  t.is(result.exitCode, 7)
  t.deepEqual(await readdir(project.cache), [])
})
