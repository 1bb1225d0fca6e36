import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { freePort, listenRelay, serveRelay } from '../../builder/boot/relay.ts'
import { PibakeError } from '../../builder/core/error.ts'

test('bytes go through both ends and back; a taken port is BUSY; disposal closes', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-relay-'))
  const service = createServer((socket) => {
    socket.once('data', (question) => socket.end(`you said ${question}`))
  })
  const [servicePort, outerPort] = [await freePort(), await freePort()]
  await new Promise<void>((resolve) => service.listen(servicePort, '127.0.0.1', resolve))
  const path = join(folder, 'deep', '80.sock')
  const inner = await serveRelay(path, servicePort)
  const outer = await listenRelay(outerPort, path)

  const socket = connect(outerPort, '127.0.0.1')
  socket.write('hello')
  t.is(await text(socket), 'you said hello')
  const busy = await t.throwsAsync(listenRelay(outerPort, path), { instanceOf: PibakeError })
  t.is(busy?.code, 'BUSY')

  await outer[Symbol.asyncDispose]()
  await inner[Symbol.asyncDispose]()
  const refused = await new Promise<Error>((resolve) => connect(outerPort, '127.0.0.1').on('error', resolve))
  t.regex(refused.message, /ECONNREFUSED/)
  await new Promise((resolve) => service.close(resolve))
  await rm(folder, { recursive: true })
})
