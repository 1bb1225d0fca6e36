'use strict'
const fs = require('node:fs')
const http = require('node:http')
const { createRequire } = require('node:module')
const { openPubForReading } = require('/usr/lib/pibake/ssb-pub/front.cjs')
const { createIndex } = require('./index.cjs')

const tree = process.env.PIBAKE_VIEWER_TREE ?? '/opt/pibake/ssb-viewer'
const socket = process.env.PIBAKE_VIEWER_SOCKET ?? '/run/pibake-ssb-viewer/http'
const base = '/viewer/'

async function main() {
  const pub = await openPubForReading()
  const load = createRequire(`${tree}/package.json`)
  const index = createIndex(pub, base, load('pull-stream'))
  // The viewer answers `/` with 404 and would hold on to a request for a message that is not here.
  const createServer = http.createServer
  http.createServer = (serve) =>
    createServer((request, response) => {
      response.setTimeout(30_000, () => response.destroy())
      request.url = request.url.slice(base.length - 1)
      if (request.url === '/') return index(request, response)
      serve(request, response)
    })
  fs.rmSync(socket, { force: true })
  process.umask(0o111)
  load('ssb-viewer').init(pub, { viewer: { base, port: socket } })
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
