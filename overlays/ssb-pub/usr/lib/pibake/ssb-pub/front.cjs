'use strict'
const { connect, socketAddress } = require('./connect.cjs')
const { dataFolder } = require('./config.cjs')
const { load } = require('./tree.cjs')

const LOOK_EVERY_MS = 10_000

/**
 * A source that goes on with what is new, as `live` asks: the question is put again now and then. Between the two stands {sync: true}
 * where `sync` asks for it.
 */
function followed(ask, { live, old, sync, ...options } = {}) {
  if (!live) return ask(options)
  const pull = load('pull-stream')
  const seen = new Set()
  let items = []
  let isFirst = true
  const look = (cb) =>
    pull(
      ask(options),
      pull.collect((error, found) => {
        if (error) return cb(error)
        const fresh = found.filter(({ key }) => !seen.has(key))
        for (const { key } of fresh) seen.add(key)
        if (!isFirst || old !== false) items.push(...fresh)
        if (isFirst && sync) items.push({ sync: true })
        isFirst = false
        cb(null)
      }),
    )
  return function read(abort, cb) {
    if (abort) return cb(abort)
    if (items.length > 0) return cb(null, items.shift())
    const again = (error) => {
      if (error) return cb(error)
      if (items.length > 0) return cb(null, items.shift())
      setTimeout(look, LOOK_EVERY_MS, again)
    }
    look(again)
  }
}

/**
 * What front ends for the classic database call, over the socket of the pub, read-only. They need no identity of the pub's: theirs
 * is made up. When the pub ends, so does the front end; systemd starts both again.
 */
exports.openPubForReading = async () => {
  const client = await connect({ keys: load('ssb-keys').generate(), remote: socketAddress(dataFolder(process.env)) })
  client.on('closed', () => process.exit(1))
  const { reader, blobs } = client
  const refuse = (...args) => args.at(-1)(new Error('this page is for reading only'))
  return {
    id: await new Promise((resolve, reject) => {
      client.whoami((error, answer) => (error ? reject(error) : resolve(answer.id)))
    }),
    whoami: client.whoami,
    get: reader.get,
    links: (options) => followed(reader.links, options),
    createUserStream: ({ id, ...options }) => followed(reader.messages, { ...options, author: id }),
    createLogStream: (options) => followed(reader.messages, options),
    createFeedStream: (options) => followed(reader.messages, options),
    messagesByType: (options) => followed(reader.messages, typeof options === 'string' ? { type: options } : options),
    blobs: { has: blobs.has, get: blobs.get },
    // By this a front end waits for the end of the connection, which is seen to above.
    gossip: { ping: () => load('pull-stream').asyncMap(() => {}) },
    publish: refuse,
    private: { publish: refuse },
    query: { read: () => load('pull-stream').empty() },
  }
}
