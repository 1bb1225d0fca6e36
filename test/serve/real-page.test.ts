import test from 'ava'
import { findBarriers, findTooWide, noteComplaints, openBrowser, takeScreenshot, views } from '../stages/_browser.ts'
import { findChromium } from '../support/web-tools.ts'
import { startServing } from './_server.ts'
import { addRepository, lookAt, makeShared } from './_share.ts'

const chromium = await findChromium()
const withBrowser = chromium === undefined ? test.skip : test

withBrowser('front page and documentation: nothing to complain of, and nobody is kept out', async (t) => {
  const project = await makeShared(t)
  await addRepository(t, project, { 'pibake-mill': 'the mill' })
  const { share } = await lookAt(t, project)
  const { address } = await startServing(t, { offers: Object.fromEntries(share.offers) })
  await using browser = await openBrowser(chromium ?? '')
  for (const { name, options } of views) {
    await using page = await browser.newPage(options)
    const complaints = noteComplaints(page)
    for (const path of ['/', '/docs/README.html', '/docs/index.html']) {
      await page.goto(`${address}${path}`)
      if (path === '/') await takeScreenshot(t, page, `serve-${name}`)
      t.deepEqual(await findTooWide(page), [], `${name} ${path}`)
      await page.evaluate('for (const details of document.querySelectorAll("details")) details.open = true')
      t.deepEqual(await findBarriers(page), [], `${name} ${path}`)
    }
    await page.goto(`${address}/`)
    t.true(await page.getByText('pibake-mill').first().isVisible())
    await page.getByRole('link', { name: 'What this is' }).click()
    t.is(await page.locator('h1').textContent(), 'A hub')
    await page.getByRole('link', { name: 'Front page' }).click()
    t.is(page.url(), `${address}/`)
    t.deepEqual(complaints, [], name)
  }
})
