import { spawnSync } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { scratch } from '../support/scratch.ts'
import { checkout } from '../support/tools.ts'

const scripts = [
  'overlays/matrix/usr/lib/pibake/matrix/name',
  'overlays/tuwunel/usr/lib/pibake/tuwunel/setup',
  'overlays/tuwunel/usr/lib/pibake/tuwunel/start',
]

/** A node's file system in a folder: the stage's scripts speak of that folder, and nobody's files change their owner. */
const makeNode = async (t: ExecutionContext, files: Readonly<Record<string, string>>) => {
  const root = await scratch(t)
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
    await chmod(join(root, path), 0o755)
  }
  for (const script of scripts) {
    const text = await readFile(join(checkout, script), 'utf8')
    await write(
      script.replace(/^overlays\/[^/]*\//, ''),
      text.replaceAll(/(?<![\w.$"/])\/(etc|run|usr\/lib|var\/lib|boot)\//g, `${root}/$1/`),
    )
  }
  await write('bin/chown', '#!/bin/sh\n')
  await mkdir(join(root, 'var/lib/pibake/tuwunel'), { recursive: true })
  for (const [path, text] of Object.entries(files)) await write(path, text)
  const run = (name: string) =>
    spawnSync('sh', [join(root, 'usr/lib/pibake/tuwunel', name)], {
      encoding: 'utf8',
      env: { PATH: `${root}/bin:${process.env.PATH}` },
    })
  return { root, run, read: (path: string) => readFile(join(root, path), 'utf8') }
}

/** The values of a TOML file that has one table and a value on each line, all of which are JSON as well. */
const readToml = (text: string): Record<string, unknown> => {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  if (lines.shift() !== '[global]') throw new Error(`not [global]: ${text}`)
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf(' = ')
      return [line.slice(0, at), JSON.parse(line.slice(at + 3))]
    }),
  )
}

test('the configuration that the settings ask for', async (t) => {
  const node = await makeNode(t, {
    'etc/pibake/tuwunel.conf':
      "SERVER_NAME='Node.Example.org'\nREGISTRATION='closed'\nFEDERATION='false'\nMAX_UPLOAD_SIZE='2G'\nCACHE_FACTOR='1'\n",
  })
  const { status, stderr } = node.run('setup')
  t.is(status, 0, stderr)
  const state = join(node.root, 'var/lib/pibake/tuwunel')
  t.deepEqual(readToml(await node.read('run/pibake-matrix/conf.d/pibake.toml')), {
    server_name: 'node.example.org',
    database_path: '/var/lib/tuwunel',
    address: ['127.0.0.1'],
    port: 8098,
    ip_source: 'rightmost_x_forwarded_for',
    log: 'warn',
    max_request_size: 2_147_483_648,
    allow_registration: false,
    registration_token_file: join(state, 'registration-token'),
    registration_shared_secret_file: join(state, 'registration-secret'),
    grant_admin_to_first_user: false,
    new_user_displayname_suffix: '',
    trusted_servers: [],
    query_trusted_key_servers_first_on_join: false,
    allow_federation: false,
    sender_retry_backoff_limit: 120,
    ip_range_denylist: ['127.0.0.0/8', '::1/128', '169.254.0.0/16', 'fe80::/10', 'ff00::/8', '224.0.0.0/4'],
    cache_capacity_modifier: 1,
    db_cache_capacity_mb: 64,
    allow_local_presence: false,
    allow_incoming_presence: false,
    allow_outgoing_presence: false,
  })
  t.is(await node.read('run/pibake-matrix/www/server'), '{"m.server": "node.example.org:8448"}\n')
  t.is(await node.read('var/lib/pibake/https/names/matrix'), 'node.example.org\n')
})

test('name and secrets stay as they were first; what the card asked for comes before the setting', async (t) => {
  const node = await makeNode(t, {
    'etc/pibake/tuwunel.conf': "SERVER_NAME='setting.mesh'\n",
    'boot/firmware/matrix-server-name': '[200:1::2]:8448\r\n',
  })
  t.is(node.run('setup').status, 0)
  const secret = await node.read('var/lib/pibake/tuwunel/registration-secret')
  t.regex(secret, /^[0-9A-Za-z]{32,}\n?$/)
  t.not(secret, await node.read('var/lib/pibake/tuwunel/registration-token'))
  t.is(node.run('setup').status, 0)
  t.is(await node.read('run/pibake-matrix/name'), '[200:1::2]:8448\n')
  t.is(await node.read('var/lib/pibake/https/names/matrix'), '200:1::2\n')
  t.is(await node.read('var/lib/pibake/tuwunel/registration-secret'), secret)
  await t.throwsAsync(node.read('boot/firmware/matrix-server-name'), { code: 'ENOENT' })
  const said = readToml(await node.read('run/pibake-matrix/conf.d/pibake.toml'))
  t.is(said.max_request_size, 20 * 1024 * 1024)
  t.true(said.allow_registration)
})

for (const [conf, message] of [
  ["SERVER_NAME='.bad'", /`\.bad`, from .*\/etc\/pibake\/tuwunel\.conf or the host name, is not a name for a server/],
  ["SERVER_NAME='a.mesh'\nMAX_UPLOAD_SIZE='20 MB'", /`20 MB`, the setting max-upload-size, is not a size such as 20M/],
  ["SERVER_NAME='a.mesh'\nMAX_UPLOAD_SIZE='M'", /`M`, the setting max-upload-size/],
  ["SERVER_NAME='a.mesh'\nCACHE_FACTOR='much'", /`much`, the setting cache-factor, is not a number/],
] as const) {
  test(`refused: ${conf.split('\n').at(-1)}`, async (t) => {
    const node = await makeNode(t, { 'etc/pibake/tuwunel.conf': `${conf}\n` })
    const { status, stderr } = node.run('setup')
    t.not(status, 0)
    t.regex(stderr, message)
    await t.throwsAsync(node.read('run/pibake-matrix/conf.d/pibake.toml'), { code: 'ENOENT' })
  })
}

test('tuwunel is started with every file of its configuration and the authorities that it is to believe', async (t) => {
  const node = await makeNode(t, {
    'run/pibake-matrix/conf.d/coturn.toml': '',
    'run/pibake-matrix/conf.d/coturn.toml.new': '',
    'run/pibake-matrix/conf.d/pibake.toml': '',
    'run/tuwunel/x': '',
    'etc/tuwunel/conf.d/own.toml': '',
    'var/lib/pibake/https/authority.crt': 'own\n',
    'var/lib/pibake/tuwunel/trusted/a.crt': 'neighbour\n',
    'usr/lib/pibake/tuwunel/tuwunel': '#!/bin/sh\necho "$@"\ncat "$SSL_CERT_FILE"\n',
  })
  const { status, stdout, stderr } = node.run('start')
  t.is(status, 0, stderr)
  const files = ['run/pibake-matrix/conf.d/coturn', 'run/pibake-matrix/conf.d/pibake', 'etc/tuwunel/conf.d/own']
  const [command, ...authorities] = stdout.trimEnd().split('\n')
  t.is(command, files.map((file) => `--config ${join(node.root, file)}.toml`).join(' '))
  t.deepEqual(authorities.slice(-2), ['own', 'neighbour'])
})
