'use strict'
const { forgetRestored, readRestored } = require('./backup.cjs')

const LOOK_EVERY_MS = 2_000

/**
 * Keeps a restored identity from publishing until its own messages are back. One that were published too early would be
 * another message of the same number: a fork, after which others refuse the feed for good.
 * It is over when as many messages are there as the backup knew of, somebody is connected, and no further one has come for a while,
 * since there may be some that are younger than the backup.
 */
exports.createHold = (folder, quietMs = 60_000) => {
  let restored = readRestored(folder)
  return {
    name: 'hold',
    version: '1.0.0',
    manifest: { finish: 'async', status: 'async' },
    permissions: { master: { allow: ['finish', 'status'] } },
    init(ssb) {
      if (restored === undefined) return { finish: (cb) => cb(null, false), status: (cb) => cb(null, null) }
      let own = 0
      let changedAt = Date.now()

      const create = ssb.db.create
      ssb.db.create = (options, cb) => {
        if (restored === undefined) return create.call(ssb.db, options, cb)
        const error = new Error(
          `This identity was restored and publishes nothing yet: it has ${own} of ${restored.sequence} messages back. See \`pibake-ssb status\`.`,
        )
        return cb === undefined ? Promise.reject(error) : cb(error)
      }

      const finish = (cb) => {
        restored = undefined
        clearInterval(timer)
        forgetRestored(folder)
        console.log(`the restored identity has ${own} messages and publishes again`)
        ssb.pub.announce((error) => cb?.(error, !error))
      }

      const look = () =>
        ssb.ebt.clock({ format: 'classic' }, (error, clock) => {
          if (error || restored === undefined) return
          const now = clock[ssb.id] ?? 0
          const isAlone = Object.entries(ssb.peers).every(([id, peers]) => id === ssb.id || peers.length === 0)
          if (now !== own || isAlone) changedAt = Date.now()
          own = now
          if (own >= Math.max(restored.sequence, 1) && Date.now() - changedAt >= quietMs) finish()
        })
      const timer = setInterval(look, LOOK_EVERY_MS)
      timer.unref()

      const status = (cb) => cb(null, restored === undefined ? null : { own, sequence: restored.sequence })
      return { finish, status }
    },
  }
}
