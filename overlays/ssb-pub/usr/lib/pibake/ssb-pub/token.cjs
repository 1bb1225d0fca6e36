'use strict'
const { createHash, randomInt, timingSafeEqual } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')

/** Letters and digits that nobody takes for one another: 5 bits each. */
const SIGNS = 'abcdefghjkmnpqrstuvwxyz023456789'

/** 100 bits, in groups of five. */
function makeToken() {
  const group = () => Array.from({ length: 5 }, () => SIGNS[randomInt(SIGNS.length)]).join('')
  return Array.from({ length: 4 }, group).join('-')
}

const fileOf = (folder) => path.join(folder, 'invite-token')

/** The token that lets people make invites on the pub's page; undefined before there is one. */
function readToken(folder) {
  try {
    return fs.readFileSync(fileOf(folder), 'utf8').trim() || undefined
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Makes a token, in place of the one there was. */
function renewToken(folder) {
  const token = makeToken()
  const owner = fs.statSync(folder)
  const file = fileOf(folder)
  fs.rmSync(`${file}.new`, { force: true })
  fs.writeFileSync(`${file}.new`, `${token}\n`, { mode: 0o600, flush: true, flag: 'wx' })
  fs.chownSync(`${file}.new`, owner.uid, owner.gid)
  fs.renameSync(`${file}.new`, file)
  return token
}

/** Whether they are the same but for case, spaces and hyphens; takes as long whether or not they are. */
function isSameToken(given, token) {
  const digest = (text) => createHash('sha256').update(text.toLowerCase().replaceAll(/[\s-]/g, '')).digest()
  return timingSafeEqual(digest(given), digest(token))
}

module.exports = { isSameToken, makeToken, readToken, renewToken }
