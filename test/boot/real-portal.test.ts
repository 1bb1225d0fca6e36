import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { freePort } from '../../builder/boot/relay.ts'
import { findBarriers, findTooWide, openBrowser, takeScreenshot, views } from '../stages/_browser.ts'
import { findChromium } from '../support/web-tools.ts'
import { spawnPibake } from './_command.ts'
import { bakedImage, noImage } from './_image.ts'

const chromium = await findChromium()
const missing = noImage ?? (chromium === undefined ? 'this machine has no Chromium' : undefined)
const title = 'the page of a booted node, in Chromium: every language, light and dark, large and small'

/** Wait for the pages of the node to say that all it offers is running. */
const untilRunning = async (url: string, ended: () => boolean): Promise<void> => {
  for (let state = 'no answer'; ; await sleep(2000)) {
    state = await fetch(`${url}status`, { signal: AbortSignal.timeout(10_000) }).then(
      (answer) => answer.text(),
      (error: unknown) => String(error),
    )
    const states = [...state.matchAll(/"state":"(\w+)"/g)].map(([, word]) => word)
    if (states.length > 0 && states.every((word) => word === 'running')) return
    if (ended()) throw new Error(`the node ended; its last answer: ${state}`)
  }
}

if (missing !== undefined || chromium === undefined) {
  test.skip(`${title} (${missing})`, () => {})
} else {
  test.serial(title, async (t) => {
    t.timeout(1_800_000)
    const port = await freePort()
    const pibake = spawnPibake(['run', await bakedImage(), '--forward', `${port}:80`])
    let isOver = false
    void pibake.ended.then(() => {
      isOver = true
    })
    t.teardown(async () => {
      if (!isOver && pibake.process.pid !== undefined) process.kill(pibake.process.pid, 'SIGTERM')
      await pibake.ended
    })
    const url = `http://127.0.0.1:${port}/`
    await untilRunning(url, () => isOver)

    const browser = await openBrowser(chromium)
    t.teardown(() => browser.close())
    for (const { name, options } of views) {
      const page = await (await browser.newContext({ ...options, locale: 'fr', javaScriptEnabled: false })).newPage()
      const complaints: string[] = []
      page.on('console', (message) => complaints.push(message.text()))
      page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`))
      await page.goto(url)
      t.is(await page.locator('html').getAttribute('lang'), 'fr')
      for (const [language, link] of Object.entries({
        en: 'English',
        es: 'Español',
        fr: 'Français',
        pt: 'Português',
      })) {
        await page.getByRole('link', { name: link, exact: true }).click()
        t.is(await page.locator('html').getAttribute('lang'), language)
        t.is(await page.locator('h1').textContent(), await page.locator('.host').textContent())
        t.is(await page.locator('.offers .running').count(), await page.locator('.offers li').count())
        t.true((await page.locator('.codes img').count()) >= 2)
        await takeScreenshot(t, page, `${name}-${language}`)
        const free = await (await browser.newContext({ ...options, bypassCSP: true })).newPage()
        await free.goto(page.url())
        t.deepEqual(await findTooWide(free), [])
        t.deepEqual(await findBarriers(free), [])
        await free.context().close()
      }
      t.deepEqual(complaints, [])
    }

    const page = await (await browser.newContext({ locale: 'en' })).newPage()
    await page.goto(url)
    await page.getByRole('link', { name: 'Software', exact: true }).click()
    await page.getByRole('link', { name: 'pibake.sources' }).click()
    t.true((await page.locator('body').textContent())?.includes(`URIs: ${url}mirror`))
    await page.goto(url)
    for (const link of await page.locator('main a[href^="/"], footer a').evaluateAll((links) => links.map(String))) {
      t.is((await fetch(link)).status, 200, link)
    }

    // The page for invites refuses who does not know the token.
    const form = await (await browser.newContext({ locale: 'pt', bypassCSP: true })).newPage()
    await form.goto(`${url}ssb/`)
    t.is(await form.locator('html').getAttribute('lang'), 'pt')
    t.deepEqual(await findBarriers(form), [])
    await form.fill('#token', 'nobody-knows-this-one')
    await form.locator('button').click()
    t.is(await form.getByRole('alert').textContent(), 'Essa não é a chave.')
    t.is(form.url(), `${url}ssb/`)
    t.deepEqual(await findBarriers(form), [])

    const folder = process.env.PIBAKE_SCREENSHOTS
    if (folder === undefined) return
    // The pictures of the documentation: small ones, of the top of the page.
    await mkdir(folder, { recursive: true })
    for (const [name, options, place] of [
      ['portal-desk', { viewport: { width: 1100, height: 1180 }, deviceScaleFactor: 0.6, colorScheme: 'light' }, ''],
      ['portal-phone', { viewport: { width: 360, height: 700 }, deviceScaleFactor: 0.8, colorScheme: 'dark' }, 'es/'],
    ] as const) {
      const picture = await (await browser.newContext({ ...options, locale: 'en' })).newPage()
      await picture.goto(`${url}${place}`)
      await picture.screenshot({ path: join(folder, `${name}.png`) })
    }
  })
}
