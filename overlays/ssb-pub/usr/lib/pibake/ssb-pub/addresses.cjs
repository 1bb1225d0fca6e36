'use strict'
const os = require('node:os')

/** Every address of this node that another one might reach: [{interface, address, family, cidr, netmask}]. */
function listAddresses() {
  return Object.entries(os.networkInterfaces()).flatMap(([name, entries]) =>
    (entries ?? [])
      .filter((entry) => !entry.internal && !entry.address.startsWith('fe80:'))
      .map((entry) => ({ interface: name, ...entry })),
  )
}

/** True for an address of 200::/7, yggdrasil's; the first group of such an address has three digits, 200 to 3ff. */
function isMesh(address) {
  return /^[23][0-9a-f]{2}:/i.test(address)
}

/**
 * The address an invite names: the configured one, else the mesh's, else the first IPv4, else the first IPv6.
 * @returns {string | undefined} undefined when the node has no network
 */
function chooseAddress(configured, addresses = listAddresses()) {
  if (configured !== '') return configured
  const found =
    addresses.find(({ address }) => isMesh(address)) ??
    addresses.find(({ family }) => family === 'IPv4') ??
    addresses[0]
  return found?.address
}

/** The broadcast addresses of the networks this node is on. A network of two or fewer addresses has none. */
function listBroadcasts(addresses = listAddresses()) {
  const found = addresses
    .filter(({ family, cidr }) => family === 'IPv4' && cidr !== null && Number(cidr.split('/')[1]) < 31)
    .map(({ address, netmask }) => broadcastOf(address, netmask))
  return [...new Set(found)]
}

function broadcastOf(address, netmask) {
  const mask = netmask.split('.').map(Number)
  return address
    .split('.')
    .map((part, index) => Number(part) | (~mask[index] & 255))
    .join('.')
}

module.exports = { chooseAddress, isMesh, listAddresses, listBroadcasts }
