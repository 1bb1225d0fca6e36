'use strict'
const { promisify } = require('node:util')
const { chooseAddress, listAddresses } = require('./addresses.cjs')
const { networkAddress } = require('./connect.cjs')

/** What `pibake-ssb status` shows, and the name the pub gives itself. Only the node's own identity may call it. */
exports.createPlugin = (settings) => ({
  name: 'pub',
  version: '1.0.0',
  manifest: { status: 'async', announce: 'async' },
  permissions: { master: { allow: ['status', 'announce'] } },
  init(ssb) {
    // Without a network there is no public address, and ssb-invite makes no invite at all, even for a host named by hand.
    ssb.getAddress.hook((getAddress, [scope]) => {
      const address = getAddress(scope)
      return (
        address ?? (scope === 'public' ? networkAddress({ host: 'localhost', port: settings.port, id: ssb.id }) : null)
      )
    })

    // ssb-db2 answers before the log is on the disk. A message that is lost after others have it would fork the feed. Whatever
    // publishes comes through here; it is no function of a plugin that could be hooked.
    const create = ssb.db.create
    ssb.db.create = (options, cb) => {
      if (cb === undefined) return promisify(ssb.db.create)(options)
      create.call(ssb.db, options, (error, message) =>
        error ? cb(error) : ssb.db.getLog().onDrain(() => cb(null, message)),
      )
    }

    /** {id, name, port, inviteAddress, addresses, connected, messages, feeds, ownMessages} */
    function status(cb) {
      ssb.ebt.clock({ format: 'classic' }, (error, clock) => {
        if (error) return cb(error)
        const sequences = Object.values(clock).filter((sequence) => sequence > 0)
        cb(null, {
          id: ssb.id,
          name: settings.name,
          port: settings.port,
          inviteAddress: chooseAddress(settings.externalAddress) ?? null,
          addresses: listAddresses().map(({ address }) => address),
          connected: Object.entries(ssb.peers)
            .filter(([id, connections]) => id !== ssb.id && connections.length > 0)
            .map(([id]) => id),
          messages: sequences.reduce((sum, sequence) => sum + sequence, 0),
          feeds: sequences.length,
          ownMessages: clock[ssb.id] ?? 0,
        })
      })
    }

    /** Publishes the pub's name when the feed does not carry it yet; gives true when it did publish. */
    function announce(cb) {
      ssb.aboutSelf.get(ssb.id, (error, profile) => {
        if (error) return cb(error)
        if (profile?.name === settings.name) return cb(null, false)
        ssb.publish({ type: 'about', about: ssb.id, name: settings.name }, (failure) => cb(failure, !failure))
      })
    }

    return { status, announce }
  },
})
