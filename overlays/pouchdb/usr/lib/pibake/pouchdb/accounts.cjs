// Accounts: a file of lines `name:salt:hash`, the hash by scrypt (RFC 7914) with Node's parameters.
'use strict'

const { createHash, randomBytes, scrypt, timingSafeEqual } = require('node:crypto')
const { readFile } = require('node:fs/promises')
const { promisify } = require('node:util')

const derive = promisify(scrypt)

/** A line for an account. */
const hashPassword = async (name, password) => {
  const salt = randomBytes(16)
  return `${name}:${salt.toString('hex')}:${(await derive(password, salt, 32)).toString('hex')}`
}

/** Logins that were right, by a digest: scrypt is slow on purpose, and every request carries the password. */
const known = new Map()

/** Whether the file has the account with this password. */
const checkPassword = async (file, name, password) => {
  const line = (await readFile(file, 'utf8').catch(() => '')).split('\n').find((text) => text.startsWith(`${name}:`))
  if (line === undefined) return false
  const digest = createHash('sha256').update(`${line}\0${password}`).digest('hex')
  if (known.get(name) === digest) return true
  const [, salt, hash] = line.split(':')
  const isRight = timingSafeEqual(Buffer.from(hash, 'hex'), await derive(password, Buffer.from(salt, 'hex'), 32))
  if (isRight) known.set(name, digest)
  return isRight
}

module.exports = { checkPassword, hashPassword }
