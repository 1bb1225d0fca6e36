import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Browser } from 'playwright-core'
import { projectAt } from '../../builder/core/project.ts'
import { listStages } from '../../builder/profile/stage.ts'
import { scratch } from '../support/scratch.ts'
import { checkout } from '../support/tools.ts'
import { findWebTools } from '../support/web-tools.ts'
import { findBarriers, findTooWide, openBrowser, takeScreenshot, views } from './_browser.ts'
import { type PlayedNode, servePortal } from './_portal.ts'

const tools = await findWebTools()
const stages = await listStages(projectAt(checkout))

const lan = '2: eth0    inet 192.168.7.20/24 brd 192.168.7.255 scope global dynamic eth0\\       valid_lft forever'
const mesh = '4: ygg0    inet6 201:4ad:9e3c:7a11:8f0e:55d2:3b17:c0de/7 scope global \\       valid_lft forever'
const ula = '2: eth0    inet6 fd12:3456:789a::20/64 scope global \\       valid_lft forever'
const hostapd = `interface=wlan0\nssid2=${Buffer.from('Café; "mesh" <1>').toString('hex')}\nwpa_passphrase=quiet river & stones\n`

/** A node with everything that the page can show. */
const rich: PlayedNode = {
  host: 'orchard',
  stages,
  addresses: [ula, mesh, lan],
  states: { yggdrasil: 'activating start', avahi: 'failed failed' },
  files: {
    'run/pibake-access-point/wlan0.hostapd': hostapd,
    'run/pibake-access-point/wlan0.dnsmasq': 'domain=mesh\n',
    'sys/class/net/wlan0/mtu': '1500\n',
    'var/lib/pibake/https/authority.crt': `-----BEGIN CERTIFICATE-----\n${Buffer.from('not a real one').toString('base64')}\n-----END CERTIFICATE-----\n`,
  },
}

const withPortal = (
  title: string,
  node: PlayedNode,
  run: (t: ExecutionContext, url: string, browser: Browser) => Promise<void>,
): void => {
  if (typeof tools === 'string') {
    test.skip(`${title} (${tools})`, () => {})
    return
  }
  test(title, async (t) => {
    t.timeout(180_000)
    await using portal = await servePortal(await scratch(t), node, tools)
    const browser = await openBrowser(tools.chromium)
    try {
      await run(t, portal.url, browser)
    } finally {
      await browser.close()
    }
  })
}

const languages = { en: 'What you find here', es: 'Qué hay aquí', fr: 'Ce que vous trouvez ici', pt: 'O que há aqui' }

for (const view of views) {
  withPortal(
    `${view.name}: every language shows all, fits the screen and has no barriers`,
    rich,
    async (t, url, browser) => {
      const context = await browser.newContext(view.options)
      const page = await context.newPage()
      const complaints: string[] = []
      page.on('console', (message) => complaints.push(message.text()))
      page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`))
      for (const [language, heading] of Object.entries(languages)) {
        await page.goto(`${url}${language}/`)
        t.is(await page.locator('html').getAttribute('lang'), language)
        t.is(await page.locator('h2').first().textContent(), heading)
        t.is(await page.locator('.offers li').count(), stages.filter(({ portal }) => portal).length)
        t.is(await page.locator('.codes img').count(), 3)
        t.is(
          await page
            .locator('.codes img')
            .evaluateAll(
              (images) =>
                images.filter((image) => (image as unknown as { naturalWidth: number }).naturalWidth === 0).length,
            ),
          0,
        )
        t.deepEqual(await findTooWide(page), [])
        t.deepEqual(complaints, [])
        await takeScreenshot(t, page, `played-${view.name}-${language}`)
        // After the screenshot, for axe brings a script, of which the page's policy says nothing good.
      }
      const free = await browser.newContext({ ...view.options, bypassCSP: true })
      const freePage = await free.newPage()
      for (const language of Object.keys(languages)) {
        await freePage.goto(`${url}${language}/`)
        t.deepEqual(await findBarriers(freePage), [])
      }
    },
  )
}

withPortal(
  'the first language of the browser that the page has is taken, and the switch changes it',
  rich,
  async (t, url, browser) => {
    for (const [accepted, expected] of [
      ['fr-CA,fr;q=0.9,en;q=0.8', 'fr'],
      ['de-DE,de;q=0.9,pt-BR;q=0.8,en;q=0.7', 'pt'],
      ['est,fro;q=0.9', 'en'],
      ['', 'en'],
    ] as const) {
      const answer = await fetch(url, { headers: { 'accept-language': accepted } })
      t.regex(await answer.text(), new RegExp(`<html lang="${expected}">`), accepted)
      t.is(answer.headers.get('vary'), 'Accept-Language')
    }
    const context = await browser.newContext({ locale: 'es-MX', javaScriptEnabled: false })
    const page = await context.newPage()
    await page.goto(url)
    t.is(await page.locator('html').getAttribute('lang'), 'es')
    await page.getByRole('link', { name: 'Português' }).click()
    t.is(await page.locator('html').getAttribute('lang'), 'pt')
    t.is(await page.locator('nav a[aria-current]').textContent(), 'Português')
  },
)

withPortal(
  'without JavaScript there is everything, and text of others stays text',
  {
    ...rich,
    settings: { TITLE: 'Fruit & <b>bees</b>', WELCOME: '<!--# include virtual="/status" -->"hello"' },
  },
  async (t, url, browser) => {
    const context = await browser.newContext({ javaScriptEnabled: false, locale: 'en' })
    const page = await context.newPage()
    await page.goto(url)
    t.is(await page.locator('h1').textContent(), 'Fruit & <b>bees</b>')
    t.is(await page.locator('.welcome').textContent(), '<!--# include virtual="/status" -->"hello"')
    t.is(await page.locator('.host').textContent(), 'orchard')
    t.is(await page.locator('#yggdrasil .state').textContent(), 'starting')
    t.is(await page.locator('#ssb-pub .state').textContent(), 'running')
    t.is(await page.locator('.codes h3 code').textContent(), 'Café; "mesh" <1>')
    t.true((await page.locator('.codes li').first().textContent())?.includes('quiet river & stones'))
    t.true(
      (await page.locator('pre').textContent())?.includes(
        `-O /etc/apt/sources.list.d/pibake.sources ${url}mirror/pibake.sources`,
      ),
    )
    t.deepEqual(await page.locator('.places code').allTextContents(), [
      'orchard.local',
      'orchard.mesh',
      '192.168.7.20',
      '201:4ad:9e3c:7a11:8f0e:55d2:3b17:c0de',
      'fd12:3456:789a::20',
    ])
    t.regex(
      (await page.locator('dl').textContent()) ?? '',
      /3 days 4 hours[\s\S]*22 GB free of 31 GB[\s\S]*627 MB free of 1.0 GB/,
    )
    const status = await fetch(`${url}status`)
    t.is(((await status.json()) as { host: string }).host, 'orchard')
  },
)

withPortal('who comes over the mesh is not shown the Wi-Fi', rich, async (t, url) => {
  const far = { headers: { 'x-forwarded-for': '201:1:2:3::4' } }
  const near = { headers: { 'x-forwarded-for': '192.168.7.33' } }
  for (const place of ['', 'en/', 'pt/']) {
    const page = await (await fetch(`${url}${place}`, far)).text()
    t.false(page.includes('quiet river'), place)
    t.false(page.includes('wifi'), place)
    t.true((await (await fetch(`${url}${place}`, near)).text()).includes('quiet river'), place)
  }
  t.is((await fetch(`${url}qr/wifi.svg`, far)).status, 404)
  t.is((await fetch(`${url}qr/wifi.svg`, near)).status, 200)
  t.is((await fetch(`${url}qr/mesh.svg`, far)).status, 200)
  t.is((await fetch(`${url}en/index.html`, far)).status, 404)
})

withPortal('a bare node has a page too', { host: 'bare', stages: [] }, async (t, url, browser) => {
  const page = await (await browser.newContext({ locale: 'en', bypassCSP: true })).newPage()
  await page.goto(url)
  t.true((await page.locator('main').textContent())?.includes('No network yet.'))
  t.is(await page.locator('.codes').count(), 0)
  t.is(await page.locator('pre').count(), 0)
  t.deepEqual(await findBarriers(page), [])
})

test('every language of the page has the same words, and every entry is translated', async (t) => {
  const folder = join(checkout, 'overlays/portal/usr/share/pibake/portal/languages')
  const wordsOf = async (language: string): Promise<string[]> =>
    (await readFile(join(folder, `${language}.txt`), 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => /^([\w-]+): \S/.exec(line)?.[1] ?? `not a word: ${line}`)
  const expected = await wordsOf('en')
  for (const language of ['es', 'fr', 'pt']) {
    t.deepEqual(await wordsOf(language), expected)
    for (const { name, portal } of stages) {
      if (!portal) continue
      const own = portal.translations?.[language]
      t.truthy(own?.title && own.description, `${name} says nothing in ${language}`)
    }
  }
})
