import { mkdir, readdir } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { freePort, listenRelay, serveRelay } from '../../builder/boot/relay.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { scratch } from '../support/scratch.ts'

test('bytes go through both ends and back; a taken port is BUSY; disposal closes', async (t) => {
  // Longer than the address of a unix socket can be.
  const folder = join(await scratch(t), 'a'.repeat(200))
  await mkdir(folder)
  const service = createServer((socket) => {
    socket.once('data', (question) => socket.end(`you said ${question}`))
  })
  t.teardown(() => service.close())
  const [servicePort, outerPort] = [await freePort(), await freePort()]
  await new Promise<void>((resolve) => service.listen(servicePort, '127.0.0.1', resolve))
  const path = join(folder, '80.sock')
  await using stack = new AsyncDisposableStack()
  stack.use(await serveRelay(path, servicePort))
  stack.use(await listenRelay(outerPort, path))

  const socket = connect(outerPort, '127.0.0.1')
  socket.write('hello')
  t.is(await text(socket), 'you said hello')
  const busy = await t.throwsAsync(listenRelay(outerPort, path), { instanceOf: PibakeError })
  t.is(busy?.code, 'BUSY')

  await stack.disposeAsync()
  const refused = await new Promise<Error>((resolve) => connect(outerPort, '127.0.0.1').on('error', resolve))
  t.regex(refused.message, /ECONNREFUSED/)
  t.deepEqual(await readdir(folder), [])
})
