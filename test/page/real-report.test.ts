import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { renderReport } from '../../builder/page/report-page.ts'
import { findBarriers, findTooWide, noteComplaints, openBrowser, takeScreenshot, views } from '../stages/_browser.ts'
import { reportData } from '../support/report-data.ts'
import { scratch } from '../support/scratch.ts'
import { findChromium } from '../support/web-tools.ts'

const chromium = await findChromium()
const withBrowser = chromium === undefined ? test.skip : test

withBrowser('a browser has nothing to complain of, and keeps nobody out', async (t) => {
  const folder = await scratch(t)
  const path = join(folder, 'hub.report.html')
  await writeFile(path, renderReport(reportData))
  await using browser = await openBrowser(chromium ?? '')
  for (const { name, options } of views) {
    await using page = await browser.newPage(options)
    const complaints = noteComplaints(page)
    const requests: string[] = []
    page.on('request', (request) => requests.push(request.url()))
    await page.goto(pathToFileURL(path).href)
    await takeScreenshot(t, page, `report-${name}`)
    t.deepEqual(requests, [pathToFileURL(path).href], 'one file is all of it')
    t.deepEqual(await findTooWide(page), [], name)
    // What is folded away has to be as good.
    await page.evaluate('for (const details of document.querySelectorAll("details")) details.open = true')
    t.deepEqual(await findBarriers(page), [], name)

    const rows = page.locator('#debian tbody tr:visible')
    t.is(await rows.count(), 32)
    await page.locator('[data-filters=debian] input').fill('PHP')
    t.is(await rows.count(), 1)
    t.deepEqual(complaints, [], name)
  }
})

withBrowser('without scripts it says the same', async (t) => {
  const folder = await scratch(t)
  const path = join(folder, 'hub.report.html')
  await writeFile(path, renderReport(reportData))
  await using browser = await openBrowser(chromium ?? '')
  await using page = await browser.newPage({ javaScriptEnabled: false })
  await page.goto(pathToFileURL(path).href)
  t.is(await page.locator('input:visible').count(), 0, 'no field that would do nothing')
  t.true(await page.getByText('Where the time went').first().isVisible())
  await page.locator('summary', { hasText: '32 Debian packages' }).click()
  t.is(await page.locator('#debian tbody tr:visible').count(), 32)
  t.is((await page.locator('.treemap .cell').count()) > 20, true)
})
