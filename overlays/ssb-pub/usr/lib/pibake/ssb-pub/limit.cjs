'use strict'
const { isIPv6 } = require('node:net')

const MOST_REMEMBERED = 1000

/**
 * Lets through `burst` attempts at once and then one each `everyMs`, for each key.
 * @returns {(key: string, now?: number) => number} 0 when the attempt may go on, else the milliseconds until one may
 */
function createLimit({ burst, everyMs }) {
  /** When the bucket of a key is full again, the least recently tried first. */
  const fullAt = new Map()
  return (key, now = Date.now()) => {
    const known = Math.max(fullAt.get(key) ?? 0, now)
    const waitMs = known - now - (burst - 1) * everyMs
    if (waitMs > 0) return waitMs
    fullAt.delete(key)
    fullAt.set(key, known + everyMs)
    if (fullAt.size > MOST_REMEMBERED) fullAt.delete(fullAt.keys().next().value)
    return 0
  }
}

/** Who tries, as far as it can be told: an IPv4 address, or the network that one subscriber of IPv6 has. */
function describeVisitor(address) {
  if (!isIPv6(address)) return address
  const [head, tail] = address.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const last = tail === '' ? [] : tail.split(':')
    while (groups.length + last.length < 8) groups.push('0')
    groups.push(...last)
  }
  return groups.slice(0, 4).join(':')
}

module.exports = { createLimit, describeVisitor }
