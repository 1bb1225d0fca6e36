'use strict'
const { promisify } = require('node:util')
const fs = require('node:fs')
const { chooseAddress } = require('./addresses.cjs')
const { dataFolder, readIdentity, readSettings } = require('./config.cjs')
const { renderBackup } = require('./backup.cjs')
const { collect, connect, networkAddress, socketAddress } = require('./connect.cjs')
const { readToken, renewToken } = require('./token.cjs')

const HELP = `Usage:
  pibake-ssb whoami                  print the identity of this pub
  pibake-ssb invite create [USES]    print an invite for USES people (1 when left out)
         [--address HOST]            name HOST in it instead of the mesh or LAN address
  pibake-ssb invite accept INVITE    let this pub and the one that made the invite follow each other
  pibake-ssb publish TEXT            publish a post in the pub's own feed, print its id
  pibake-ssb log [COUNT]             print the newest COUNT messages (20), one JSON object a line
  pibake-ssb status [--json]         who and where the pub is, and what it holds
  pibake-ssb token [--new]           print the token for the page of invites, or make another
  pibake-ssb backup FILE             write the identity of this pub into a new file, or to - (standard output)
  pibake-ssb restore FILE            give this node, whose pub has said nothing yet, the identity of a backup
  pibake-ssb restore --finish        publish although not all messages of a restored identity have come back
Run it as root or as the user ssb.
`

class UsageError extends Error {}

const commands = {
  async whoami(client, words) {
    takeNoMore(words)
    return (await promisify(client.whoami)()).id
  },

  async invite(client, [verb, ...words]) {
    if (verb === 'accept') return acceptInvite(client, words)
    if (verb !== 'create') throw new UsageError('`invite` knows only `create` and `accept`')
    const { uses, address } = readInviteWords(words)
    const external = address ?? chooseAddress(readSettings(process.env).externalAddress)
    if (external === undefined)
      throw new Error('This node has no address yet: join a network, or name one with --address')
    return promisify(client.invite.create)({ uses, external })
  },

  async publish(client, words) {
    if (words.length === 0) throw new UsageError('`publish` needs a text')
    return (await promisify(client.publish)({ type: 'post', text: words.join(' ') })).key
  },

  async log(client, [count = '20', ...words]) {
    takeNoMore(words)
    const messages = await collect(client.createLogStream({ reverse: true, limit: readCount(count) }))
    return messages.map((message) => JSON.stringify(message)).join('\n')
  },

  async status(client, [format, ...words]) {
    takeNoMore(format === '--json' ? words : [format, ...words])
    const status = { ...(await promisify(client.pub.status)()), restoring: await promisify(client.hold.status)() }
    return format === '--json' ? JSON.stringify(status) : describe(status)
  },

  async backup(client, [file, ...words]) {
    takeNoMore(words)
    if (file === undefined) throw new UsageError('`backup` needs the name of a file')
    const keys = readIdentity(dataFolder(process.env))
    const { name, ownMessages } = await promisify(client.pub.status)()
    const restoring = await promisify(client.hold.status)()
    const text = renderBackup({ keys, name, sequence: Math.max(ownMessages, restoring?.sequence ?? 0) })
    if (file === '-') return text.trimEnd()
    fs.writeFileSync(file, text, { flag: 'wx', mode: 0o600, flush: true })
    return `${file} holds the identity ${keys.id}: keep it secret, and away from this node`
  },

  async restore(client, [finish, ...words]) {
    takeNoMore(words)
    if (finish !== '--finish') throw new UsageError('`restore` needs the name of a file, or `--finish`')
    const finished = await promisify(client.hold.finish)()
    return finished ? 'the restored identity publishes again' : 'nothing is being restored'
  },
}

/** For the page of invites; works while the pub rests, too. */
function token([option, ...words]) {
  takeNoMore(words)
  if (option !== undefined && option !== '--new') throw new UsageError(`\`${option}\` is not understood here`)
  const folder = dataFolder(process.env)
  const known = option === '--new' ? renewToken(folder) : readToken(folder)
  if (known === undefined) throw new Error('There is no token yet: it is made when the pub starts for the first time')
  return known
}

/** Accepting makes the two follow each other, but ssb-conn calls only whom it remembers. */
async function acceptInvite(client, [invite, ...words]) {
  takeNoMore(words)
  const [, host, port, id] = /^(.+):(\d+):(@[^:~]+\.ed25519)~./.exec(invite ?? '') ?? []
  if (id === undefined) throw new UsageError('`invite accept` needs the text of an invite, HOST:PORT:@…~…')
  await promisify(client.invite.accept)(invite)
  const address = networkAddress({ host, port, id })
  await promisify(client.conn.remember)(address, { key: id, type: 'pub' })
  await promisify(client.conn.connect)(address, { key: id, type: 'pub' })
  return `accepted: this pub and ${id} follow each other`
}

function describe(status) {
  return [
    `name            ${status.name}`,
    `id              ${status.id}`,
    `port            ${status.port}`,
    `invite address  ${status.inviteAddress ?? 'none yet'}`,
    `addresses       ${status.addresses.join(' ') || 'none yet'}`,
    `connected       ${status.connected.join(' ') || 'nobody'}`,
    `holds           ${status.messages} messages of ${status.feeds} feeds, ${status.ownMessages} of its own`,
    ...(status.restoring === null
      ? []
      : [`restoring       ${status.restoring.own} of ${status.restoring.sequence} messages are back; publishes nothing yet`]),
  ].join('\n')
}

function readInviteWords(words) {
  const rest = [...words]
  let address
  const at = rest.indexOf('--address')
  if (at >= 0) {
    address = rest.splice(at, 2)[1]
    if (!address) throw new UsageError('`--address` needs a host')
  }
  const [uses = '1', ...more] = rest
  takeNoMore(more)
  return { uses: readCount(uses), address }
}

function readCount(text) {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new UsageError(`\`${text}\` is not a whole number above 0`)
  return count
}

function takeNoMore(words) {
  const [extra] = words.filter((word) => word !== undefined)
  if (extra !== undefined) throw new UsageError(`\`${extra}\` is not understood here`)
}

async function openPub() {
  const folder = dataFolder(process.env)
  try {
    const keys = readIdentity(folder)
    return await connect({ keys, remote: socketAddress(folder) })
  } catch (error) {
    if (error.code === 'EACCES') throw new Error('Only root and the user ssb may talk to the pub: try with sudo')
    throw new Error('The pub is not running: see `systemctl status pibake-ssb-pub`', { cause: error })
  }
}

async function main([name, ...words]) {
  if (name === 'help' || name === '--help' || name === '-h') return HELP.trimEnd()
  if (name === 'token') return token(words)
  const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined
  if (command === undefined)
    throw new UsageError(name === undefined ? 'Say what to do' : `\`${name}\` is not a command`)
  return command(await openPub(), words)
}

main(process.argv.slice(2)).then(
  (text) => process.stdout.write(`${text}\n`, () => process.exit(0)),
  (error) => {
    const usage = error instanceof UsageError
    process.stderr.write(`pibake-ssb: ${error.message}\n${usage ? HELP : ''}`, () => process.exit(usage ? 2 : 1))
  },
)
