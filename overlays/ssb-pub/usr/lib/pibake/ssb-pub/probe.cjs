'use strict'
// The questions of the stage's checks: `node probe.cjs network | publish | redeem INVITE | write | kept FILE`.
const { randomUUID } = require('node:crypto')
const fs = require('node:fs')
const { promisify } = require('node:util')
const { listAddresses } = require('./addresses.cjs')
const { dataFolder, readIdentity, readSettings } = require('./config.cjs')
const { collect, connect, networkAddress, socketAddress } = require('./connect.cjs')
const { openPeer, waitUntil } = require('./peer.cjs')

const WRITE_MS = 8_000

const folder = dataFolder(process.env)
const { port } = readSettings(process.env)
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
