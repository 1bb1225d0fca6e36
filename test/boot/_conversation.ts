import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { ExecutionContext } from 'ava'
import type { BrowserContextOptions } from 'playwright-core'
import { findBarriers, installAuthority, noteComplaints, openBrowser } from '../stages/_browser.ts'
import type { WebTools } from '../support/web-tools.ts'
import { accept, hear, invite, learn, logIn, makeRoom, type Person, say } from './_chat.ts'

/** A node with a homeserver and the chat, reached on ports of 127.0.0.1. */
export interface ChatNode {
  /** A name that its certificate holds for. */
  host: string
  ports: { http: number; https: number }
  /** Run a script of sh on it. */
  run(script: string): Promise<string>
}

/** Who the node says that it is to `host`, when that is verified by the authority alone; throws when it is not. */
const greetEncrypted = (host: string, port: number, authority: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: host, ca: authority }, () => {
      resolve(socket.getPeerCertificate().subjectaltname ?? '')
      socket.destroy()
    })
    socket.on('error', reject)
  })

/** What the homeserver lacks and Hydrogen asks for all the same (MSC 2697). */
const isExpected = (complaint: string): boolean => complaint.includes('/org.matrix.msc2697.v2/dehydrated_device')

const patience = 240_000
const [ana, bea]: [Person, Person] = [
  { name: 'ana', password: 'one two three' },
  { name: 'bea', password: 'four five six' },
]
const [question, answer] = ['Does the pump at the well run again?', 'Since this morning. Bring your cans!']

/**
 * Two people of the node, each in a browser of their own, meet in an encrypted room and talk. The first has installed the
 * node's certificate; the second, on a phone, has not, and goes on past the browser's warning.
 */
export const converse = async (t: ExecutionContext, node: ChatNode, tools: WebTools, folder: string): Promise<void> => {
  const { host, ports, run } = node
  const url = `https://${host}:${ports.https}/`
  const since = performance.now()
  const log = (what: string): void => t.log(`${((performance.now() - since) / 1000).toFixed(1)} s: ${what}`)

  const authority = await (await fetch(`http://127.0.0.1:${ports.http}/certificate.crt`)).text()
  t.regex(await greetEncrypted(host, ports.https, authority), new RegExp(`DNS:${host}(,|$)`))
  await t.throwsAsync(greetEncrypted('other.local', ports.https, authority), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  t.is(await run('cat /var/lib/pibake/https/authority.crt'), authority.trim())
  const users = []
  for (const { name, password } of [ana, bea]) {
    users.push(await run(`echo '${password}' | pibake-matrix user add ${name} --stdin`))
  }
  log(`accounts: ${users.join(' ')}`)

  const certificate = join(folder, 'authority.crt')
  await writeFile(certificate, authority)
  await installAuthority(tools.certutil, join(folder, 'trusting'), certificate)
  await mkdir(join(folder, 'wary'))
  const open = async (home: string, options: BrowserContextOptions) => {
    const browser = await openBrowser(tools.chromium, { home: join(folder, home), onlyHost: host })
    t.teardown(() => browser.close())
    const page = await (await browser.newContext({ locale: 'en', ...options })).newPage()
    page.setDefaultTimeout(patience)
    page.setDefaultNavigationTimeout(patience)
    const asked = new Set<string>()
    page.context().on('request', (request) => asked.add(new URL(request.url()).origin))
    return { browser, page, asked, complaints: noteComplaints(page) }
  }
  const desk = await open('trusting', { viewport: { width: 900, height: 600 }, colorScheme: 'light' })
  const phone = await open('wary', {
    viewport: { width: 360, height: 640 },
    isMobile: true,
    colorScheme: 'dark',
    ignoreHTTPSErrors: true,
  })
  const warned = await phone.browser.newPage()
  await t.throwsAsync(warned.goto(url), { message: /ERR_CERT_AUTHORITY_INVALID/ })

  await desk.page.goto(url)
  t.deepEqual(await findBarriers(desk.page), [], 'the front page')
  await desk.page.locator('a[href="/chat/"]').click()
  await phone.page.goto(`${url}chat/`)
  for (const { page } of [desk, phone]) {
    await page.getByLabel('Username').waitFor()
    t.deepEqual(await findBarriers(page), [], 'the page to log in')
  }
  t.true(await desk.page.evaluate('navigator.serviceWorker.ready.then(({active}) => active !== null)'))
  await Promise.all([logIn(desk.page, ana), logIn(phone.page, bea)])
  log('logged in')
  await makeRoom(desk.page, 'The well')
  await invite(desk.page, users[1] ?? '')
  await accept(phone.page, 'The well')
  await learn(desk.page, 'bea joined the room')
  log('both are in the room')
  await say(desk.page, question)
  await hear(phone.page, question)
  await say(phone.page, answer)
  await hear(desk.page, answer)
  log('read each other')

  // The refused script is the service worker's.
  const refused = 'error: An SSL certificate error occurred when fetching the script. ()'
  for (const [name, { page, asked, complaints }, allowed] of [
    ['desk', desk, []],
    ['phone', phone, [refused]],
  ] as const) {
    t.deepEqual(await findBarriers(page), [], `the room, ${name}`)
    t.deepEqual([...asked], [new URL(url).origin], name)
    const unexpected = complaints.filter((complaint) => !isExpected(complaint))
    t.deepEqual(unexpected, [...allowed], name)
  }
  const edges = `[...document.querySelectorAll('.Timeline li > *')].map((e) => e.getBoundingClientRect().right)`
  t.true(Math.max(...((await phone.page.evaluate(edges)) as number[])) <= 360, 'names of a mesh are long')
  // The name of a room is open, what is said in it is not.
  const seen = await run(
    'cat /var/lib/matrix-synapse/homeserver.db* | grep -aoE "The well|pump|Bring your cans" | sort -u',
  )
  t.is(seen, 'The well')

  const pictures = process.env.PIBAKE_SCREENSHOTS
  if (pictures === undefined) return
  await mkdir(pictures, { recursive: true })
  for (const [name, { page }] of Object.entries({ desk, phone })) {
    await page.screenshot({ path: join(pictures, `chat-${name}.png`) })
  }
}
