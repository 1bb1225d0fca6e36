import type { Page } from 'playwright-core'

/** Somebody with an account on a homeserver. */
export interface Person {
  name: string
  password: string
}

/** Log in on the page for that, and wait for the list of rooms. */
export const logIn = async (page: Page, { name, password }: Person): Promise<void> => {
  await page.getByLabel('Username').fill(name)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Log In' }).click()
  await page.getByRole('navigation', { name: 'Rooms' }).waitFor()
}

const composer = (page: Page) => page.locator('.MessageComposer_input textarea')

/** Open a room of the list. */
const openRoom = (page: Page, title: string): Promise<void> =>
  page.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: title }).click()

/** Make a room as the form suggests it: private, encrypted. */
export const makeRoom = async (page: Page, title: string): Promise<void> => {
  await page.locator('.utilities').getByRole('button', { name: 'Create room' }).click()
  await page.getByRole('button', { name: 'Create Room', exact: true }).click()
  await page.getByLabel('Room name').fill(title)
  await page.locator('form').getByRole('button', { name: 'Create room' }).click()
  await openRoom(page, title)
  await composer(page).waitFor()
  // A room has no name until the homeserver has told it, and Hydrogen writes an error when its details are opened before.
  await page.locator('.RoomHeader').getByRole('heading', { name: title }).waitFor()
}

/** Ask somebody, by the full name, into the room that is open. */
export const invite = async (page: Page, user: string): Promise<void> => {
  await page.getByRole('button', { name: 'Room options' }).click()
  await page.getByRole('button', { name: 'Room details' }).click()
  await page.getByRole('button', { name: 'People' }).click()
  await page.getByRole('button', { name: 'Invite to this room' }).click()
  await page.getByLabel('User', { exact: true }).fill(user)
  await page.getByRole('button', { name: 'Invite', exact: true }).click()
}

/** Join the room that one was asked into. */
export const accept = async (page: Page, title: string): Promise<void> => {
  await openRoom(page, title)
  await page.getByRole('button', { name: 'Accept' }).click()
  await composer(page).waitFor()
}

/** Wait for the room that is open to say something of itself, such as who joined. */
export const learn = (page: Page, text: string): Promise<void> =>
  page.locator('.AnnouncementView', { hasText: text }).waitFor()

/** Say something in the room that is open. */
export const say = async (page: Page, text: string): Promise<void> => {
  await composer(page).fill(text)
  await composer(page).press('Enter')
}

/** Wait for something to be said in the room that is open. */
export const hear = (page: Page, text: string): Promise<void> =>
  page.locator('.Timeline_messageBody', { hasText: text }).waitFor()
