'use strict'
const { promisify } = require('node:util')
const { collect } = require('./connect.cjs')

const LOOK_EVERY_MS = 10 * 60_000

/**
 * Which blobs have to go for the store to hold `limitBytes` at most: the oldest, and some more, so that it need not be
 * looked after at each one that comes.
 * @param {{id: string, size: number, ts: number}[]} blobs
 * @returns {string[]} ids
 */
function chooseSurplus(blobs, limitBytes) {
  let sum = blobs.reduce((total, { size }) => total + size, 0)
  if (sum <= limitBytes) return []
  const goal = limitBytes * 0.9
  const surplus = []
  for (const { id, size } of blobs.toSorted((one, other) => one.ts - other.ts)) {
    if (sum <= goal) break
    surplus.push(id)
    sum -= size
  }
  return surplus
}

/** Keeps the blobs of the pub within what the settings allow. A blob that is asked for again comes again from whoever has it. */
function createBlobLimit({ blobStoreBytes }, lookEveryMs = LOOK_EVERY_MS) {
  return {
    name: 'blobLimit',
    version: '1.0.0',
    manifest: {},
    init(ssb) {
      // Without a callback, as when it is called from another process, ssb-blobs throws what is wrong with a blob, and the pub ends.
      ssb.blobs.add.hook((add, args) => {
        const hasCallback = args.some((arg) => typeof arg === 'function')
        return add(...(hasCallback ? args : [...args, (error) => error && console.error(`blob: ${error.message}`)]))
      })
      if (blobStoreBytes === 0) return {}
      const look = async () => {
        const surplus = chooseSurplus(await collect(ssb.blobs.ls({ meta: true, live: false })), blobStoreBytes)
        for (const id of surplus) await promisify(ssb.blobs.rm)(id)
        if (surplus.length > 0) console.log(`removed the ${surplus.length} oldest blobs: the store was full`)
      }
      const timer = setInterval(() => {
        look().catch((error) => console.error(`blobs: ${error.message}`))
      }, lookEveryMs)
      timer.unref()
      return {}
    },
  }
}

module.exports = { chooseSurplus, createBlobLimit }
