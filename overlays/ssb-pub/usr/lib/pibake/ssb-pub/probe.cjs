'use strict'
// The questions of the stage's checks: `node probe.cjs network | publish | redeem INVITE | blobs | page | restore INVITE | write | kept FILE`.
const { createHash, randomBytes, randomUUID } = require('node:crypto')
const fs = require('node:fs')
const http = require('node:http')
const { setTimeout: sleep } = require('node:timers/promises')
const { promisify } = require('node:util')
const { chooseAddress, listAddresses } = require('./addresses.cjs')
const { dataFolder, readIdentity, readSettings } = require('./config.cjs')
const { collect, connect, networkAddress, socketAddress } = require('./connect.cjs')
const { openPeer, waitUntil } = require('./peer.cjs')
const { openScratchPub } = require('./scratch.cjs')
const { readToken } = require('./token.cjs')
const { load } = require('./tree.cjs')

const WRITE_MS = 8_000

const folder = dataFolder(process.env)
const { port, blobMaxBytes } = readSettings(process.env)
const keys = readIdentity(folder)

const questions = {
  /** Is the pub's own key answered by secret-handshake on every address of this node? */
  async network() {
    for (const host of ['127.0.0.1', ...listAddresses().map(({ address }) => address)]) {
      const client = await connect({ keys, remote: networkAddress({ host, port, id: keys.id }) })
      const { id } = await promisify(client.whoami)()
      client.close()
      if (id !== keys.id) throw new Error(`${host} answers as ${id}, not as ${keys.id}`)
      console.log(`${host} port ${port} answers whoami: ${id}`)
    }
  },

  /** Is a published message found in the log again? Its type is one that no client shows. */
  async publish() {
    const client = await connect({ keys, remote: socketAddress(folder) })
    const mark = randomUUID()
    const { key } = await promisify(client.publish)({ type: 'pibake-check', mark })
    const messages = await collect(client.createLogStream({ reverse: true, limit: 20 }))
    const found = messages.find((message) => message.key === key)
    if (found?.value.content.mark !== mark) throw new Error(`${key} was published but is not in the log`)
    console.log(`published and read back: ${key}, message ${found.value.sequence} of ${found.value.author}`)
  },

  /** Publish for some seconds; each message that the pub has accepted is said in a line. */
  async write() {
    const client = await connect({ keys, remote: socketAddress(folder) })
    const endsAt = Date.now() + WRITE_MS
    while (Date.now() < endsAt) {
      const { key } = await promisify(client.publish)({ type: 'pibake-check', mark: randomUUID() })
      console.log(`ACCEPTED ${key}`)
    }
  },

  /** Are all of the messages of `file` in the log still, and is the feed without a gap and open for the next one? */
  async kept(file) {
    const client = await connect({ keys, remote: socketAddress(folder) })
    const own = (await collect(client.createLogStream())).filter(({ value }) => value.author === keys.id)
    const held = new Set(own.map(({ key }) => key))
    const wanted = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean)
    const lost = wanted.filter((key) => !held.has(key))
    console.log(`${own.length} messages in the feed`)
    if (lost.length > 0) throw new Error(`${lost.length} of ${wanted.length} accepted messages are lost: ${lost.join(' ')}`)
    const sequences = own.map(({ value }) => value.sequence).sort((one, other) => one - other)
    if (sequences.some((sequence, index) => sequence !== index + 1)) throw new Error('the feed has a gap')
    const next = await promisify(client.publish)({ type: 'pibake-check', mark: randomUUID() })
    if (next.value.sequence !== own.length + 1) throw new Error(`message ${next.value.sequence} follows ${own.length}`)
  },

  /** Does a stranger become a friend by the invite, and do messages go both ways? The friendship is ended again. */
  async redeem(invite) {
    const client = await connect({ keys, remote: socketAddress(folder) })
    const mark = randomUUID()
    const { key } = await promisify(client.publish)({ type: 'pibake-check', mark })
    const peer = openPeer()
    try {
      const { key: greeting } = await promisify(peer.ssb.publish)({ type: 'pibake-check', mark })
      await promisify(peer.ssb.invite.accept)(invite)
      console.log(`${peer.ssb.id} redeemed the invite`)
      await waitUntil('the pub follows the peer', () =>
        promisify(client.friends.isFollowing)({ source: keys.id, dest: peer.ssb.id }),
      )
      await promisify(peer.ssb.conn.connect)(networkAddress({ host: hostOf(invite), port, id: keys.id }))
      await waitUntil(`${key} came to the peer`, () => peer.has(key))
      await waitUntil(`${greeting} came to the pub`, async () => {
        const messages = await collect(client.createLogStream({ reverse: true, limit: 100 }))
        return messages.some((message) => message.key === greeting)
      })
    } finally {
      await promisify(client.publish)({ type: 'contact', contact: peer.ssb.id, following: false })
      peer.remove()
    }
  },

  /** Is a blob kept and given back, and one that is too large refused? */
  async blobs() {
    const client = await connect({ keys, remote: socketAddress(folder) })
    const pull = load('pull-stream')
    // The other end of a sink gives no answer but an error, so the pub is asked afterwards what it has.
    const add = async (parts) => {
      const hash = createHash('sha256')
      for (const part of parts) hash.update(part)
      const id = `&${hash.digest('base64')}.sha256`
      const problem = await new Promise((resolve) => {
        pull(pull.values(parts), client.blobs.add(id, (error) => resolve(error?.message)))
      })
      return { id, problem }
    }
    const has = ({ id }) => promisify(client.blobs.has)(id)

    const bytes = randomBytes(100_000)
    const small = await add([bytes])
    await waitUntil(`${small.id} is kept`, () => has(small))
    const back = Buffer.concat(await collect(client.blobs.get(small.id)))
    if (!back.equals(bytes)) throw new Error(`it came back as ${back.length} other bytes`)
    await promisify(client.blobs.rm)(small.id)
    if (await has(small)) throw new Error('it was not removed')
    const part = randomBytes(64 * 1024)
    const large = await add(Array.from({ length: blobMaxBytes / part.length + 1 }, () => part))
    await sleep(5_000)
    console.log(`one above the limit of ${blobMaxBytes} bytes: ${large.problem ?? 'no word'}`)
    if (await has(large)) throw new Error('a blob above the limit was taken')
  },

  /** Does the page make an invite for who knows the token, and for nobody else? Through the web server where there is one. */
  async page() {
    const hasPortal = fs.existsSync('/usr/share/pibake/stages/portal.json')
    const way = hasPortal ? { host: '127.0.0.1', port: 80 } : { socketPath: '/run/pibake-ssb-pub/page' }
    await waitUntil('the page is served', async () => (await request(way)).status === 200)
    const wrong = await request(way, { token: 'aaaaa-aaaaa-aaaaa-aaaaa', uses: '1' })
    console.log(`a wrong token: ${wrong.status}`)
    if (wrong.status !== 403 || /~[\w+/]{43}=/.test(wrong.text)) throw new Error('a wrong token was not refused')
    const address = chooseAddress('') ?? ''
    const made = await request(way, { token: readToken(folder), uses: '2', ...(address === '' ? {} : { address }) })
    console.log(`the token: ${made.status}, ${made.cached}`)
    if (address === '' && made.status === 503) return
    const invite = new RegExp(`[^<>\\s]+:${port}:${keys.id.replaceAll(/[+.]/g, '\\$&')}~[\\w+/]{43}=`).exec(made.text)?.[0]
    if (made.status !== 200 || invite === undefined) throw new Error('the token brought no invite')
    if (made.cached !== 'no-store') throw new Error('the answer may be stored')
    console.log(`invite: ${invite.split('~')[0]}`)
  },

  /** Does a pub whose identity was backed up come back on a new folder, get its messages from this one, and go on without a fork? */
  async restore(invite) {
    const scratch = openScratchPub(port + 1000)
    const client = await connect({ keys, remote: socketAddress(folder) })
    let id
    try {
      await scratch.makeIdentity()
      await scratch.start()
      id = await scratch.ask('whoami')
      await scratch.ask('invite', 'accept', invite)
      const first = await scratch.ask('publish', 'before the backup')
      const file = scratch.path('backup')
      console.log(await scratch.ask('backup', file))
      const last = await scratch.ask('publish', 'after the backup')
      const hasHere = async (key) =>
        (await collect(client.createLogStream({ reverse: true, limit: 100 }))).some((message) => message.key === key)
      await waitUntil(`${first} and ${last} are here`, async () => (await hasHere(first)) && (await hasHere(last)))
      await scratch.stop()

      fs.rmSync(scratch.data, { recursive: true })
      await scratch.makeIdentity()
      await scratch.restore(file)
      await scratch.start()
      if ((await scratch.ask('whoami')) !== id) throw new Error('it is somebody else')
      const early = await scratch.ask('publish', 'too early').then(
        () => 'published',
        (error) => error.stderr,
      )
      console.log(early.trim())
      if (!early.includes('publishes nothing yet')) throw new Error('it published before its messages were back')
      const restored = await connect({ keys: readIdentity(scratch.data), remote: socketAddress(scratch.data) })
      await promisify(restored.conn.connect)(networkAddress({ host: '127.0.0.1', port, id: keys.id }))
      await waitUntil('its messages are back, and it publishes', async () =>
        JSON.parse(await scratch.ask('status', '--json')).restoring === null,
      )
      const next = await scratch.ask('publish', 'after the return')
      await waitUntil(`${next} is here: no fork`, () => hasHere(next))
      restored.close()
    } finally {
      if (id !== undefined) await promisify(client.publish)({ type: 'contact', contact: id, following: false })
      await scratch.stop()
      scratch.remove()
    }
  },
}

/** GET of the page for invites, or POST when there are fields: {status, cached, text}. */
function request(way, fields) {
  const body = fields === undefined ? undefined : new URLSearchParams(fields).toString()
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/x-www-form-urlencoded' }
    const asked = http.request({ ...way, path: '/ssb/', method: body === undefined ? 'GET' : 'POST', headers })
    asked.on('error', (error) => resolve({ status: 0, text: error.message }))
    asked.on('response', async (response) => {
      let text = ''
      try {
        for await (const part of response.setEncoding('utf8')) text += part
        resolve({ status: response.statusCode, cached: response.headers['cache-control'], text })
      } catch (error) {
        reject(error)
      }
    })
    asked.setTimeout(60_000, () => asked.destroy(new Error('no answer within 60 s')))
    asked.end(body)
  })
}

function hostOf(invite) {
  return invite.split('@')[0].split(':').slice(0, -2).join(':')
}

const [name, ...words] = process.argv.slice(2)
questions[name](...words).then(
  () => process.exit(0),
  (error) => {
    console.error(error.message)
    process.exit(1)
  },
)
