'use strict'
const { connect, socketAddress } = require('./connect.cjs')
const { dataFolder } = require('./config.cjs')
const { load } = require('./tree.cjs')

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
    links: reader.links,
    createUserStream: ({ id, ...options }) => reader.messages({ ...options, author: id }),
    createLogStream: reader.messages,
    createFeedStream: reader.messages,
    messagesByType: (options) => reader.messages(typeof options === 'string' ? { type: options } : options),
    blobs: { has: blobs.has, get: blobs.get },
    publish: refuse,
    private: { publish: refuse },
    query: { read: () => load('pull-stream').empty() },
  }
}
