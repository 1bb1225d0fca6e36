import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { request as ask, type Server } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { scratch } from '../support/scratch.ts'
import { checkout } from '../support/tools.ts'

/** What the modules of the stage, which are plain JavaScript, give. */
interface PageOptions {
  token(): string | undefined
  addresses(): string[]
  createInvite(options: { uses: number; external: string }): Promise<string>
  draw(text: string): Promise<string>
}
const load = createRequire(join(checkout, 'overlays/ssb-pub/usr/lib/pibake/ssb-pub/'))
const { createPage }: { createPage(pub: PageOptions): Server } = load('./page.cjs')
const {
  createLimit,
  describeVisitor,
}: {
  createLimit(options: { burst: number; everyMs: number }): (key: string, now: number) => number
  describeVisitor(address: string): string
} = load('./limit.cjs')
const {
  isSameToken,
  makeToken,
  readToken,
  renewToken,
}: {
  isSameToken(given: string, token: string): boolean
  makeToken(): string
  readToken(folder: string): string | undefined
  renewToken(folder: string): string
} = load('./token.cjs')
const {
  chooseSurplus,
}: { chooseSurplus(blobs: { id: string; size: number; ts: number }[], limitBytes: number): string[] } =
  load('./blobs.cjs')

interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

/** The page on a socket of its own, and a way to ask it. */
const openPage = async (t: ExecutionContext, more: Partial<PageOptions> = {}) => {
  const made: { uses: number; external: string }[] = []
  const server = createPage({
    token: () => 'right-token',
    addresses: () => ['10.43.0.1', '200:1::2'],
    createInvite: async (options) => {
      made.push(options)
      return `${options.external}:8008:@key.ed25519~<secret>`
    },
    draw: async (text) => `<svg>${text.length}</svg>`,
    ...more,
  })
  const socketPath = join(await scratch(t), 'page')
  server.listen(socketPath)
  await once(server, 'listening')
  t.teardown(() => server.close())
  const send = async (
    fields?: Record<string, string> | string,
    { path = '/ssb/', method = fields === undefined ? 'GET' : 'POST', headers = {} } = {},
  ): Promise<Answer> => {
    const asked = ask({ socketPath, path, method, headers, agent: false })
    asked.end(typeof fields === 'object' ? new URLSearchParams(fields).toString() : fields)
    const [response] = await once(asked, 'response')
    let text = ''
    for await (const part of response) text += part
    return { status: response.statusCode, headers: response.headers, text }
  }
  return { send, made }
}

test('who knows the token gets an invite, drawn as well, in an answer that nobody stores', async (t) => {
  const { send, made } = await openPage(t)
  const answer = await send({ token: ' RIGHT token', uses: '3', address: '200:1::2' })
  t.is(answer.status, 200)
  t.deepEqual(made, [{ uses: 3, external: '200:1::2' }])
  t.true(answer.text.includes('<code>200:1::2:8008:@key.ed25519~&lt;secret&gt;</code>'))
  t.true(answer.text.includes('It is good for 3 people.'))
  t.true(answer.text.includes('data:image/svg+xml;base64,'))
  t.is(answer.headers['cache-control'], 'no-store')
  t.false(answer.text.includes('right'))
})

const refused = test.macro(
  async (t, fields: Record<string, string>, expected: number, options: Partial<PageOptions> = {}) => {
    const { send, made } = await openPage(t, options)
    const answer = await send(fields)
    t.is(answer.status, expected)
    t.true(answer.text.includes('role="alert"'))
    t.deepEqual(made, [])
  },
)
test('refused: another token', refused, { token: 'wrong', uses: '1' }, 403)
test('refused: no token', refused, { uses: '1' }, 403)
test('refused: any token while there is none', refused, { token: '', uses: '1' }, 403, { token: () => undefined })
test('refused: nobody', refused, { token: 'right-token', uses: '0' }, 400)
test('refused: too many', refused, { token: 'right-token', uses: '101' }, 400)
test('refused: half a person', refused, { token: 'right-token', uses: '1.5' }, 400)
test('refused: an address of somebody else', refused, { token: 'right-token', uses: '1', address: 'evil' }, 400)
test('refused: no address yet', refused, { token: 'right-token', uses: '1' }, 503, { addresses: () => [] })

test('a token in an address is nothing, and nothing else is there', async (t) => {
  const { send, made } = await openPage(t)
  t.is((await send(undefined, { path: '/ssb/?token=right-token&uses=1' })).status, 404)
  t.is((await send('token=right-token&uses=1', { method: 'PUT' })).status, 405)
  t.is((await send(undefined, { path: '/' })).status, 404)
  t.deepEqual(made, [])
})

test('it speaks the language that the web server names, English otherwise', async (t) => {
  const { send } = await openPage(t)
  for (const [language, expected] of Object.entries({ es: 'es', fr: 'fr', pt: 'pt', xx: 'en', constructor: 'en' }))
    t.regex(
      (await send(undefined, { headers: { 'x-language': language } })).text,
      new RegExp(`<html lang="${expected}">`),
    )
})

test('a body that is too long is not read', async (t) => {
  const { send, made } = await openPage(t)
  const answer = await send(`token=right-token&uses=1&more=${'x'.repeat(10_000)}`)
  t.is(answer.status, 403)
  t.deepEqual(made, [])
})

test('after some attempts one has to wait, also with the right token; others do not', async (t) => {
  const { send } = await openPage(t)
  const from = (address: string, token = 'wrong') => send({ token, uses: '1' }, { headers: { 'x-real-ip': address } })
  const statuses: number[] = []
  for (let count = 0; count < 10; count += 1) statuses.push((await from('10.43.0.7')).status)
  t.deepEqual(statuses, Array(10).fill(403))
  const slow = await from('10.43.0.7', 'right-token')
  t.is(slow.status, 429)
  t.regex(String(slow.headers['retry-after']), /^([1-9]|10)$/)
  t.is((await from('10.43.0.8', 'right-token')).status, 200)
})

test('a limit lets a burst through and then one at a time', (t) => {
  const limit = createLimit({ burst: 2, everyMs: 1000 })
  t.is(limit('a', 0), 0)
  t.is(limit('a', 0), 0)
  t.is(limit('a', 100), 900)
  t.is(limit('b', 100), 0)
  t.is(limit('a', 1000), 0)
  t.is(limit('a', 1000), 1000)
  t.is(limit('a', 10_000), 0)
  t.is(limit('a', 10_000), 0)
  t.is(limit('a', 10_000), 1000)
})

test('visitors by IPv6 are their network', (t) => {
  t.is(describeVisitor('10.1.2.3'), '10.1.2.3')
  t.is(describeVisitor('FD00:1:2:3:4:5:6:7'), 'fd00:1:2:3')
  t.is(describeVisitor('fe80::1'), 'fe80:0:0:0')
  t.is(describeVisitor('200:1::5'), '200:1:0:0')
  t.is(describeVisitor('::1'), '0:0:0:0')
})

test('a token is made closed to others, renewed, and compared without case and hyphens', async (t) => {
  const folder = await scratch(t)
  t.is(readToken(folder), undefined)
  const token = renewToken(folder)
  t.regex(token, /^[a-z0-9]{5}(-[a-z0-9]{5}){3}$/)
  t.is(readToken(folder), token)
  t.is((await stat(join(folder, 'invite-token'))).mode & 0o777, 0o600)
  t.not(renewToken(folder), token)
  t.true(isSameToken(token.toUpperCase().replaceAll('-', ' '), token))
  t.false(isSameToken(`${token}x`, token))
  t.is(new Set(Array.from({ length: 50 }, makeToken)).size, 50)
})

test('of blobs that are too many, the oldest go until there is room again', (t) => {
  const blobs = [
    { id: 'middle', size: 40, ts: 2 },
    { id: 'new', size: 40, ts: 3 },
    { id: 'old', size: 40, ts: 1 },
  ]
  t.deepEqual(chooseSurplus(blobs, 120), [])
  t.deepEqual(chooseSurplus(blobs, 119), ['old'])
  t.deepEqual(chooseSurplus(blobs, 80), ['old', 'middle'])
  t.deepEqual(chooseSurplus([], 0), [])
})
