'use strict'
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { promisify } = require('node:util')
const { load } = require('./tree.cjs')

const WAIT_MS = 150_000

/**
 * A throwaway peer with an identity of its own in a temporary folder; it listens nowhere but on loopback and discovers nobody.
 * `remove` deletes its folder; the process must end right after, since the peer is still open.
 */
function openPeer() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pibake-ssb-peer-'))
  const ssb = load('secret-stack')({ caps: load('ssb-caps') })
    .use(load('ssb-master'))
    .use(load('ssb-db2'))
    .use(load('ssb-db2/compat'))
    .use(load('ssb-friends'))
    .use(load('ssb-ebt'))
    .use(load('ssb-replication-scheduler'))
    .use(load('ssb-conn'))
    .use(load('ssb-invite'))(createConfig(folder))
  return {
    ssb,
    /** Whether a message has come in. */
    has: (key) => promisify(ssb.db.get)(key).then(Boolean, () => false),
    remove: () => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  }
}

function createConfig(folder) {
  const net = { host: '127.0.0.1', scope: ['device'], transform: 'shs' }
  return load('ssb-config/defaults')('ssb', {
    path: folder,
    keys: load('ssb-keys').loadOrCreateSync(path.join(folder, 'secret')),
    allowPrivate: true,
    timers: { handshake: 30_000 },
    friends: { hops: 1 },
    conn: { populatePubs: false },
    connections: { incoming: { net: [net] }, outgoing: { net: [{ transform: 'shs' }] } },
  })
}

/** Asks again until the answer is true; fails after a time that suits an emulated board. */
async function waitUntil(what, ask) {
  const startedAt = Date.now()
  while (!(await ask())) {
    if (Date.now() - startedAt > WAIT_MS) throw new Error(`Not seen within ${WAIT_MS / 1000} s: ${what}`)
    await sleep(500)
  }
  console.log(`${what}, after ${((Date.now() - startedAt) / 1000).toFixed(1)} s`)
}

module.exports = { openPeer, waitUntil }
