'use strict'
const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { promisify } = require('node:util')
const { createBlobLimit } = require('./blobs.cjs')
const { dataFolder, readIdentity, readSettings, renderConfig, writeConfig } = require('./config.cjs')
const { connect, networkAddress } = require('./connect.cjs')
const { createHold } = require('./hold.cjs')
const { listenForPeople } = require('./listen.cjs')
const { createPlugin } = require('./pub.cjs')
const { load } = require('./tree.cjs')

const ANSWER_WITHIN_MS = 120_000
const CLOSE_WITHIN_MS = 10_000

const folder = dataFolder(process.env)
const settings = readSettings(process.env)
const rendered = renderConfig(settings)
writeConfig(folder, rendered)
fs.rmSync(path.join(folder, 'socket'), { force: true })

const config = load('ssb-config/defaults')('ssb', { ...rendered, path: folder, keys: readIdentity(folder) })

const stack = load('secret-stack')({ caps: config.caps })
  .use(load('ssb-master'))
  .use(load('ssb-unix-socket'))
  .use(load('ssb-no-auth'))
  .use(load('ssb-db2'))
  .use(load('ssb-db2/compat'))
  .use(load('ssb-about-self'))
  .use(load('ssb-friends'))
  .use(load('ssb-ebt'))
  .use(load('ssb-replication-scheduler'))
  .use(load('ssb-blobs'))
if (settings.lanDiscovery) stack.use(require('./lan.cjs').plugin)
const quietMs = Number(process.env.PIBAKE_SSB_QUIET_MS ?? 60_000)
stack
  .use(load('ssb-conn'))
  .use(load('ssb-invite'))
  .use(createPlugin(settings))
  .use(require('./reader.cjs').plugin)
  .use(createBlobLimit(settings))
  .use(createHold(folder, quietMs))

const ssb = stack(config)
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, closeAndExit)
announceReady().catch((error) => {
  console.error(error.message)
  process.exit(1)
})

/**
 * Tells systemd the pub is up, once it has answered on its own port under its own key.
 * A port in use leaves secret-stack running without a listener and without a word, so this is asked rather than assumed.
 */
async function announceReady() {
  await answer()
  if ((await promisify(ssb.hold.status)()) === null) await promisify(ssb.pub.announce)()
  if (process.env.PIBAKE_SSB_PAGE) await listenForPeople({ ssb, folder, settings, socket: process.env.PIBAKE_SSB_PAGE })
  if (process.env.NOTIFY_SOCKET)
    execFileSync('systemd-notify', ['--ready', `--status=${ssb.id} on port ${settings.port}`])
  console.log(`${settings.name} is ${ssb.id}, listening on port ${settings.port}`)
}

async function answer() {
  const remote = networkAddress({ host: '127.0.0.1', port: settings.port, id: ssb.id })
  const giveUpAt = Date.now() + ANSWER_WITHIN_MS
  for (;;) {
    try {
      const client = await connect({ keys: config.keys, remote })
      const { id } = await promisify(client.whoami)()
      client.close()
      if (id === ssb.id) return
      throw new Error(`it belongs to ${id}`)
    } catch (cause) {
      if (Date.now() > giveUpAt) throw new Error(`Port ${settings.port} does not answer as this pub: ${cause.message}`)
    }
    await sleep(500)
  }
}

function closeAndExit() {
  setTimeout(() => process.exit(1), CLOSE_WITHIN_MS).unref()
  ssb.close(() => process.exit(0))
}
