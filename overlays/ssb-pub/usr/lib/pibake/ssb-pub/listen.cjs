'use strict'
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const { promisify } = require('node:util')
const { chooseAddress, listAddresses } = require('./addresses.cjs')
const { createPage } = require('./page.cjs')
const { readToken, renewToken } = require('./token.cjs')

/** A QR code as SVG, by way of a pipe: what a command is called with, every user of the node can see. */
async function drawCode(text) {
  const child = spawn('qrencode', ['-8', '-t', 'SVG', '--svg-path', '-m', '3', '-o', '-'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const isEnded = once(child, 'close')
  child.stdin.on('error', () => {})
  child.stdin.end(text)
  let svg = ''
  for await (const part of child.stdout.setEncoding('utf8')) svg += part
  const [status] = await isEnded
  return status === 0 ? svg : ''
}

/** Serves the page for invites on a Unix socket, for the web server of the node. Makes the token when there is none yet. */
exports.listenForPeople = async ({ ssb, folder, settings, socket }) => {
  if (readToken(folder) === undefined) renewToken(folder)
  const server = createPage({
    token: () => readToken(folder),
    addresses: () => [
      ...new Set([chooseAddress(settings.externalAddress), ...listAddresses().map(({ address }) => address)]),
    ].filter((address) => address !== undefined),
    createInvite: (options) => promisify(ssb.invite.create)(options),
    draw: (text) => drawCode(text).catch(() => ''),
  })
  fs.rmSync(socket, { force: true })
  server.listen(socket)
  await once(server, 'listening')
  // The folder is for the web server alone to look into.
  fs.chmodSync(socket, 0o666)
}
