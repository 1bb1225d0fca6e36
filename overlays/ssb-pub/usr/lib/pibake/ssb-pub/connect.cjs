'use strict'
const { promisify } = require('node:util')
const { load } = require('./tree.cjs')

const MANIFEST = {
  whoami: 'sync',
  publish: 'async',
  createLogStream: 'source',
  invite: { create: 'async', accept: 'async' },
  conn: { remember: 'sync', connect: 'async' },
  friends: { isFollowing: 'async' },
  blobs: { add: 'sink', get: 'source', has: 'async', rm: 'async' },
  hold: { finish: 'async', status: 'async' },
  reader: { get: 'async', links: 'source', messages: 'source' },
  pub: { status: 'async', announce: 'async' },
}

/** A muxrpc client of a running pub, connected with the given identity to the given multiserver address. */
function connect({ keys, remote }) {
  const caps = load('ssb-caps')
  const config = { caps, timers: { handshake: 30_000 } }
  return promisify(load('ssb-client/client'))({ keys, remote, config, manifest: MANIFEST })
}

/** Address of the pub's Unix socket, which only root and the pub's own user can open. */
function socketAddress(folder) {
  return `unix:${folder}/socket~noauth`
}

/** Address of the pub by network: secret-handshake with the public key of `id`. */
function networkAddress({ host, port, id }) {
  return `net:${host}:${port}~shs:${id.slice(1).replace(/\.ed25519$/, '')}`
}

/** Every item of a pull-stream source. */
function collect(source) {
  const pull = load('pull-stream')
  return new Promise((resolve, reject) => {
    pull(
      source,
      pull.collect((error, items) => (error ? reject(error) : resolve(items))),
    )
  })
}

module.exports = { collect, connect, networkAddress, socketAddress }
