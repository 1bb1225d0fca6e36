'use strict'
const fs = require('node:fs')
const path = require('node:path')
const { load } = require('./tree.cjs')

/**
 * The text of a backup: the identity and how many messages it had said, which is all that cannot be had from others again.
 * @param {{keys: object, name: string, sequence: number}} identity
 */
function renderBackup({ keys, name, sequence }) {
  const { curve, public: publicKey, private: privateKey, id } = keys
  const content = { curve, public: publicKey, private: privateKey, id, sequence }
  return `# The Scuttlebutt pub ${name}, ${id}, after message ${sequence}.
# Keep this secret: whoever has it can speak as this pub. Never let one identity run in two places.
# To bring the pub back, on a node whose own pub has said nothing yet: pibake-ssb restore FILE
# Nothing is published until its messages have come back from those who know it.
${JSON.stringify(content, null, 2)}
`
}

/** The keys and the sequence in a backup. Throws when it is none, or its keys do not belong together. */
function parseBackup(text) {
  let content
  try {
    content = JSON.parse(text.replaceAll(/^#.*$/gm, ''))
  } catch {
    throw new Error('this is no backup of a pub: it holds no JSON')
  }
  const { curve, public: publicKey, private: privateKey, id, sequence } = content
  const keys = { curve, public: publicKey, private: privateKey, id }
  const isWhole = curve === 'ed25519' && [publicKey, privateKey, id].every((field) => typeof field === 'string')
  if (!isWhole || !Number.isInteger(sequence) || sequence < 0) throw new Error('this is no backup of a pub')
  const ssbKeys = load('ssb-keys')
  let fits = id === `@${publicKey}`
  try {
    fits &&= ssbKeys.verifyObj(keys, ssbKeys.signObj(keys, { mark: 'pibake' }))
  } catch {
    fits = false
  }
  if (!fits) throw new Error('the keys in this backup do not belong together: it is damaged')
  return { keys, sequence }
}

const markerOf = (folder) => path.join(folder, 'restored.json')

/** {sequence} of an identity that was restored and may not publish yet, or undefined. */
function readRestored(folder) {
  try {
    return JSON.parse(fs.readFileSync(markerOf(folder), 'utf8'))
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

function forgetRestored(folder) {
  fs.rmSync(markerOf(folder), { force: true })
}

/**
 * Gives the data folder of a stopped pub the identity of a backup. What was there is moved beside it.
 * @returns {string | undefined} where what was there is now
 */
function installBackup(folder, { keys, sequence }) {
  const fresh = `${folder}.restoring`
  fs.rmSync(fresh, { recursive: true, force: true })
  fs.mkdirSync(fresh, { mode: 0o700 })
  const write = (name, text) => fs.writeFileSync(path.join(fresh, name), text, { mode: 0o600, flush: true })
  write('secret', `${JSON.stringify(keys, null, 2)}\n`)
  write('restored.json', `${JSON.stringify({ sequence })}\n`)
  let aside
  if (fs.existsSync(folder)) {
    aside = `${folder}.before-restore-${Date.now()}`
    fs.renameSync(folder, aside)
    const token = path.join(aside, 'invite-token')
    if (fs.existsSync(token)) fs.copyFileSync(token, path.join(fresh, 'invite-token'))
  }
  fs.renameSync(fresh, folder)
  return aside
}

module.exports = { forgetRestored, installBackup, parseBackup, readRestored, renderBackup }
