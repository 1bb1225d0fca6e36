import type { Browser, Page } from 'playwright-core'

/** Somebody with an account on a homeserver. */
export interface Person {
  name: string
  password: string
}

/** A room that the first makes and the second joins, by the interface for clients below `url`. */
export const meet = async (browser: Browser, url: string, [host, guest]: [Person, Person], title: string) => {
  const { request } = await browser.newContext({ ignoreHTTPSErrors: true })
  const ask = async (path: string, data: object, token?: string): Promise<Record<string, string>> => {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` }
    const answer = await request.post(`${url}_matrix/client/v3/${path}`, { data, headers, timeout: 120_000 })
    if (!answer.ok()) throw new Error(`${path}: ${answer.status()} ${await answer.text()}`)
    return answer.json()
  }
  const logIn = ({ name, password }: Person) =>
    ask('login', { type: 'm.login.password', identifier: { type: 'm.id.user', user: name }, password })
  const { access_token: hostToken } = await logIn(host)
  const { access_token: guestToken, user_id: invited } = await logIn(guest)
  const { room_id: room = '' } = await ask('createRoom', { name: title, invite: [invited] }, hostToken)
  await ask(`join/${encodeURIComponent(room)}`, {}, guestToken)
}

/**
 * Open the chat in a browser of its own, log in, and go to the room of that title. Origins of everything that the page asks
 * for are added to `asked`.
 */
export const enterRoom = async (
  browser: Browser,
  options: { url: string; who: Person; title: string; asked: Set<string> },
): Promise<Page> => {
  const { url, who, title, asked } = options
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage()
  page.on('request', (request) => asked.add(new URL(request.url()).origin))
  page.setDefaultTimeout(180_000)
  await page.goto(`${url}chat/`)
  await page.locator('#username').fill(who.name)
  await page.locator('#password').fill(who.password)
  await page.getByRole('button', { name: 'Log In' }).click()
  await page.locator('.RoomList li a', { hasText: title }).click()
  return page
}

/** Say something in the room that is open. */
export const say = async (page: Page, text: string): Promise<void> => {
  await page.locator('.MessageComposer_input textarea').fill(text)
  await page.locator('.MessageComposer_input textarea').press('Enter')
}

/** Wait for something to be said in the room that is open. */
export const hear = (page: Page, text: string): Promise<void> =>
  page.locator('.Timeline_messageBody', { hasText: text }).waitFor()
