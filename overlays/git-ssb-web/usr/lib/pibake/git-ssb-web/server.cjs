'use strict'
const fs = require('node:fs')
const http = require('node:http')
const { createRequire } = require('node:module')
const { openPubForReading } = require('/usr/lib/pibake/ssb-pub/front.cjs')

const tree = process.env.PIBAKE_GIT_WEB_TREE ?? '/opt/pibake/git-ssb-web'
const socket = process.env.PIBAKE_GIT_WEB_SOCKET ?? '/run/pibake-git-ssb-web/http'

async function main() {
  const pub = await openPubForReading()
  const createServer = http.createServer
  http.createServer = (serve) => {
    const server = createServer((request, response) => {
      response.setTimeout(30_000, () => response.destroy())
      request.url = request.url.slice('/git'.length)
      serve(request, response)
    })
    // It knows TCP only; the web server asks it by a socket that nobody else reaches.
    const listen = server.listen
    server.listen = (_port, _host, done) => {
      fs.rmSync(socket, { force: true })
      process.umask(0o111)
      return listen.call(server, socket, done)
    }
    return server
  }
  // `public`: for reading, without the forms that write as the pub.
  createRequire(`${tree}/package.json`)('git-ssb-web').init(pub, { public: true })
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
