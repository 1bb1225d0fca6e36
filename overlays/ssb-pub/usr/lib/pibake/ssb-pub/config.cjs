'use strict'
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { load } = require('./tree.cjs')

/**
 * The settings of /etc/pibake/ssb-pub.conf as the environment carries them (systemd's EnvironmentFile=, or the shell).
 * @param {NodeJS.ProcessEnv} env
 */
function readSettings(env) {
  return {
    blobMaxBytes: readWhole('BLOB_MAX_MB', env.BLOB_MAX_MB ?? '5', 1, 1000) * 1024 * 1024,
    blobStoreBytes: readWhole('BLOB_STORE_MB', env.BLOB_STORE_MB ?? '2000', 0, 10_000_000) * 1024 * 1024,
    externalAddress: env.EXTERNAL_ADDRESS ?? '',
    hops: readWhole('HOPS', env.HOPS ?? '2', 1, 10),
    lanDiscovery: env.LAN_DISCOVERY !== 'false',
    name: env.NAME || os.hostname(),
    port: readWhole('PORT', env.PORT ?? '8008', 1, 65535),
  }
}

function readWhole(key, text, low, high) {
  const value = Number(text)
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new Error(`${key} in /etc/pibake/ssb-pub.conf must be a whole number from ${low} to ${high}, not '${text}'`)
  }
  return value
}

/** Folder of the identity, the log and the configuration; front ends look for it below $HOME as well. */
function dataFolder(env) {
  return env.PIBAKE_SSB_DATA ?? '/var/lib/ssb/.ssb'
}

/**
 * The configuration every program on the node shares, in the shape of ssb-config.
 * `net` has no `host`: the server then listens on every interface, and announces addresses rather than 0.0.0.0.
 * `allowPrivate` lets invites name LAN and mesh addresses.
 */
function renderConfig(settings) {
  const { blobMaxBytes, externalAddress, hops, lanDiscovery, port } = settings
  const net = { scope: ['device', 'local', 'private', 'public'], port, transform: 'shs' }
  if (externalAddress !== '') net.external = externalAddress
  return {
    port,
    allowPrivate: true,
    blobs: { max: blobMaxBytes },
    friends: { hops },
    gossip: { local: lanDiscovery },
    timers: { handshake: 30_000 },
    connections: {
      incoming: { net: [net], unix: [{ scope: 'device', transform: 'noauth' }] },
      outgoing: { net: [{ transform: 'shs' }] },
    },
  }
}

/** Writes the configuration whole or not at all. */
function writeConfig(folder, config) {
  const file = path.join(folder, 'config')
  fs.writeFileSync(`${file}.new`, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 })
  fs.renameSync(`${file}.new`, file)
}

/** The identity; it is made by pibake-ssb-pub-setup.service and never here, since a second one would be another feed. */
function readIdentity(folder) {
  return load('ssb-keys').loadSync(path.join(folder, 'secret'))
}

module.exports = { dataFolder, readIdentity, readSettings, renderConfig, writeConfig }
