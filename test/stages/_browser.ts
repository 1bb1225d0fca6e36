import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import axe from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

/** Chromium without a window. Its sandbox needs a user of its own, which tests run by root do not have. */
export const openBrowser = (executablePath: string): Promise<Browser> =>
  chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })

interface Finding {
  id: string
  help: string
  nodes: { html: string; failureSummary?: string }[]
}

/** What axe finds wrong with the page: all its rules, the best practices as well. */
export const findBarriers = async (page: Page): Promise<string[]> => {
  await page.addScriptTag({ content: axe.source })
  const findings = await page.evaluate(
    'axe.run(document, {resultTypes: ["violations"]}).then(({violations}) => violations)',
  )
  return (findings as Finding[]).flatMap(({ id, help, nodes }) =>
    nodes.map((node) => `${id}: ${help}\n${node.html}\n${node.failureSummary ?? ''}`),
  )
}

export interface View {
  name: string
  options: BrowserContextOptions
}

const phone: BrowserContextOptions = { viewport: { width: 360, height: 640 }, deviceScaleFactor: 2, isMobile: true }
const desk: BrowserContextOptions = { viewport: { width: 1100, height: 800 } }

/** A large and a small screen, each light and dark. */
export const views: readonly View[] = (['light', 'dark'] as const).flatMap((colorScheme) => [
  { name: `desk-${colorScheme}`, options: { ...desk, colorScheme } },
  { name: `phone-${colorScheme}`, options: { ...phone, colorScheme } },
])

/** What on the page reaches beyond the right edge of the screen, when that makes the page scroll sideways. */
export const findTooWide = async (page: Page): Promise<string[]> =>
  (await page.evaluate(`(() => {
    const {scrollWidth, clientWidth} = document.documentElement
    if (scrollWidth <= clientWidth) return []
    return [...document.querySelectorAll('body *')]
      .filter((element) => element.getBoundingClientRect().right > clientWidth)
      .map((element) => element.outerHTML.slice(0, 100))
  })()`)) as string[]

/** Where screenshots go: PIBAKE_SCREENSHOTS, or nowhere. */
export const takeScreenshot = async (t: ExecutionContext, page: Page, name: string): Promise<void> => {
  const folder = process.env.PIBAKE_SCREENSHOTS
  if (folder === undefined) return
  await mkdir(folder, { recursive: true })
  const path = join(folder, `${name}.png`)
  await page.screenshot({ path, fullPage: true })
  t.log(`screenshot: ${path}`)
}
