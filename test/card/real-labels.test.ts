import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { type Label, wifiCode } from '../../builder/card/label.ts'
import { renderLabels } from '../../builder/card/labels-page.ts'
import { findBarriers, findTooWide, noteComplaints, openBrowser, takeScreenshot, views } from '../stages/_browser.ts'
import { readQrPicture } from '../support/qr-picture.ts'
import { scratch } from '../support/scratch.ts'
import { findChromium } from '../support/web-tools.ts'

const chromium = await findChromium()
const withBrowser = chromium === undefined ? test.skip : test

const labels: readonly Label[] = Array.from({ length: 9 }, (_, index) => ({
  hostname: index === 0 ? 'a'.repeat(63) : `orchard-${index}`,
  role: index % 2 === 0 ? 'At the gate, <left>' : undefined,
  addresses: [`orchard-${index}.local`, `orchard-${index}.mesh`],
  portal: 'http://10.43.0.1/',
  wifi: { ssid: `Café; "${index}"`, passphrase: index === 3 ? 'x y'.repeat(21) : 'river, and stones' },
  login: { user: 'admin', password: 'bcdefghjknprstuv' },
}))

withBrowser('a browser has nothing to complain of, and keeps nobody out', async (t) => {
  const path = join(await scratch(t), 'labels.html')
  await writeFile(path, renderLabels(labels, 'mesh.img'))
  await using browser = await openBrowser(chromium ?? '')
  for (const { name, options } of views) {
    await using page = await browser.newPage(options)
    const complaints = noteComplaints(page)
    const requests: string[] = []
    page.on('request', (request) => requests.push(request.url()))
    await page.goto(pathToFileURL(path).href)
    await takeScreenshot(t, page, `labels-${name}`)
    t.deepEqual(requests, [pathToFileURL(path).href], 'one file is all of it')
    t.deepEqual(await findTooWide(page), [], name)
    t.deepEqual(complaints, [], name)
    await using free = await browser.newPage({ ...options, bypassCSP: true })
    await free.goto(pathToFileURL(path).href)
    t.deepEqual(await findBarriers(free), [], name)
  }
})

withBrowser('what is on the screen can be scanned', async (t) => {
  const path = join(await scratch(t), 'labels.html')
  await writeFile(path, renderLabels(labels, 'mesh.img'))
  await using browser = await openBrowser(chromium ?? '')
  await using page = await browser.newPage()
  await page.goto(pathToFileURL(path).href)
  for (const index of [0, 3, 8]) {
    const { wifi, portal } = labels[index] ?? {}
    const codes = page.locator('article').nth(index).locator('svg')
    t.is(await readQrPicture(browser, await codes.nth(0).screenshot()), wifi && wifiCode(wifi))
    t.is(await readQrPicture(browser, await codes.nth(1).screenshot()), portal)
  }
})

withBrowser('it prints without its heading, and no label is cut in two', async (t) => {
  const folder = await scratch(t)
  const path = join(folder, 'labels.html')
  await writeFile(path, renderLabels(labels, 'mesh.img'))
  await using browser = await openBrowser(chromium ?? '')
  await using page = await browser.newPage()
  await page.emulateMedia({ media: 'print' })
  await page.goto(pathToFileURL(path).href)
  t.false(await page.locator('header').isVisible())
  const pdf = join(folder, 'labels.pdf')
  await page.pdf({ path: pdf, format: 'A4', preferCSSPageSize: true })
  const pages = (await readFile(pdf, 'latin1')).match(/\/Type\s*\/Page\b/g)?.length ?? 0
  t.true(pages >= 2 && pages <= 4, `${pages} pages`)
  const heights = (await page.evaluate(
    "[...document.querySelectorAll('article')].map((article) => article.getBoundingClientRect().height)",
  )) as number[]
  // A4 at 96 dots an inch, within its margins.
  t.true(Math.max(...heights) < ((297 - 20) / 25.4) * 96)
})
