'use strict'
const { listAddresses, listBroadcasts } = require('./addresses.cjs')
const { load } = require('./tree.cjs')

const LOOK_EVERY_MS = 5_000

/**
 * ssb-lan, made to live through networks that come and go.
 * By itself it computes one broadcast address at start, falls back to 255.255.255.255 (unreachable without a default route),
 * and answers each send error by restarting at once, for ever.
 */
const lan = load('ssb-lan')

exports.plugin = {
  name: 'lan',
  version: lan.version,
  manifest: lan.manifest,
  permissions: lan.permissions,
  init(ssb, config) {
    const discovery = lan.init(ssb, config)
    discovery.getBroadcastIPs = () => listBroadcasts()
    discovery.handleBroadcastError = (error) => console.error(`LAN discovery: ${error.message}`)
    let seen = describeNetwork()
    const timer = setInterval(() => {
      const now = describeNetwork()
      if (now === seen || ssb.closed) return
      seen = now
      discovery.stop()
      discovery.start()
    }, LOOK_EVERY_MS)
    timer.unref()
    return discovery
  },
}

function describeNetwork() {
  return listAddresses()
    .map(({ interface: name, cidr }) => `${name} ${cidr}`)
    .sort()
    .join('\n')
}
