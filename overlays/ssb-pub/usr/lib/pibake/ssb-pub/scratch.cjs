'use strict'
const { execFile, spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { promisify } = require('node:util')
const { waitUntil } = require('./peer.cjs')

const run = promisify(execFile)

/** A second pub for a check, with a folder and a port of its own, which discovers nobody and is asked by its own commands. */
function openScratchPub(port) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pibake-ssb-pub-'))
  const data = path.join(folder, 'data')
  const env = {
    ...process.env,
    LAN_DISCOVERY: 'false',
    NAME: 'scratch',
    NOTIFY_SOCKET: '',
    PIBAKE_SSB_DATA: data,
    PIBAKE_SSB_PAGE: '',
    PIBAKE_SSB_QUIET_MS: '10000',
    PORT: String(port),
  }
  let server
  const node = (file, ...words) => run(process.execPath, [path.join(__dirname, file), ...words], { env })
  return {
    data,
    makeIdentity: () => node('identity.cjs'),
    /** Runs a command of `pibake-ssb`; rejects with what it says when it fails. */
    ask: async (...words) => (await node('command.cjs', ...words)).stdout.trim(),
    /** Gives the stopped pub the identity in a file. */
    restore: (file) => run('sh', ['-c', 'exec "$0" "$1" <"$2"', process.execPath, path.join(__dirname, 'restore.cjs'), file], { env }),
    async start() {
      let said = ''
      server = spawn(process.execPath, [path.join(__dirname, 'server.cjs')], { env, stdio: ['ignore', 'pipe', 'pipe'] })
      for (const stream of [server.stdout, server.stderr]) stream.on('data', (part) => (said += part))
      await waitUntil(`the scratch pub listens on port ${port}`, () => {
        if (server.exitCode !== null) throw new Error(`the scratch pub ended: ${said}`)
        return said.includes('listening on port')
      })
    },
    async stop() {
      if (server === undefined || server.exitCode !== null) return
      const isOver = new Promise((resolve) => server.once('exit', resolve))
      server.kill('SIGTERM')
      await isOver
    },
    remove: () => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
    path: (name) => path.join(folder, name),
  }
}

module.exports = { openScratchPub }
