import { join } from 'node:path'
import test from 'ava'
import { findIncoming } from '../../builder/repository/find-debs.ts'
import { mergeDebs } from '../../builder/repository/merge.ts'
import { newRecord } from '../../builder/repository/record.ts'
import { writeRepository } from '../../builder/repository/write.ts'
import { temporaryFolder } from '../profile/_project.ts'
import { writeDeb } from '../repository/_debs.ts'
import { findBarriers, findTooWide, noteComplaints, openBrowser, takeScreenshot, views } from '../stages/_browser.ts'
import { findChromium } from '../support/web-tools.ts'
import { startServing } from './_server.ts'
import { lookAt, makeShared } from './_share.ts'

const chromium = await findChromium()
const withBrowser = chromium === undefined ? test.skip : test

withBrowser('front page and documentation: nothing to complain of, and nobody is kept out', async (t) => {
  const project = await makeShared(t)
  const { key } = await lookAt(t, project)
  const deb = await writeDeb(join(await temporaryFolder(t), 'mill.deb'), 'a', ['pibake-mill', '1.0'])
  const merge = mergeDebs(newRecord('trixie'), await findIncoming([deb]), { architectures: [], timeSeconds: 1 })
  const { signal } = new AbortController()
  await writeRepository(join(project.images, 'packages'), merge, { key, uri: 'file:/x', signal })
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
