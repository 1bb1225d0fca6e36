'use strict'
// The questions of the stage's checks: `node probe.cjs network | publish | redeem INVITE`.
const { randomUUID } = require('node:crypto')
const { promisify } = require('node:util')
const { listAddresses } = require('./addresses.cjs')
const { dataFolder, readIdentity, readSettings } = require('./config.cjs')
const { collect, connect, networkAddress, socketAddress } = require('./connect.cjs')
const { openPeer, waitUntil } = require('./peer.cjs')

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
