'use strict'
// `node restore.cjs < BACKUP`, as the pub's user, while the pub is stopped: gives this node the identity of a backup.
const fs = require('node:fs')
const { promisify } = require('node:util')
const { installBackup, parseBackup } = require('./backup.cjs')
const { dataFolder, readIdentity } = require('./config.cjs')
const { load } = require('./tree.cjs')

/** How many messages the pub of a folder has said itself, other than what its name is. */
async function countOwnMessages(folder) {
  if (!fs.existsSync(`${folder}/db2`)) return 0
  const keys = readIdentity(folder)
  const connections = { incoming: {}, outgoing: {} }
  const config = load('ssb-config/defaults')('ssb', { path: folder, keys, connections })
  const ssb = load('secret-stack')({ caps: config.caps }).use(load('ssb-db2'))(config)
  const { and, author, count, not, toPromise, type, where } = load('ssb-db2/operators')
  const said = await ssb.db.query(where(and(author(keys.id), not(type('about')))), count(), toPromise())
  await promisify(ssb.close)()
  return said
}

async function main() {
  const backup = parseBackup(fs.readFileSync(0, 'utf8'))
  const folder = dataFolder(process.env)
  if (fs.existsSync(`${folder}/secret`)) {
    const { id } = readIdentity(folder)
    if (id === backup.keys.id) throw new Error(`this pub is ${id} already`)
    const said = await countOwnMessages(folder)
    if (said > 0)
      throw new Error(`the pub of this node, ${id}, has said something already (${said} messages); nothing was changed`)
  }
  const aside = installBackup(folder, backup)
  const kept = aside === undefined ? '' : `What was there before is in ${aside}.\n`
  return `This pub is now ${backup.keys.id}. It publishes nothing until its ${backup.sequence} messages have come back: let it
meet somebody who knows it, and see \`pibake-ssb status\`.\n${kept}`
}

main().then(
  (text) => process.stdout.write(text, () => process.exit(0)),
  (error) => process.stderr.write(`pibake-ssb: ${error.message}\n`, () => process.exit(1)),
)
