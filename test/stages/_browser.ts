import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import axe from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { runCommand } from '../../builder/host/command.ts'

export interface BrowserOptions {
  /** Its home folder, see `installAuthority`. */
  home?: string
  /** The only name that it finds, at 127.0.0.1. */
  onlyHost?: string
}

/** Chromium without a window. Its sandbox needs a user of its own, which tests run by root do not have. */
export const openBrowser = (executablePath: string, { home, onlyHost }: BrowserOptions = {}): Promise<Browser> => {
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  if (onlyHost !== undefined) args.push(`--host-resolver-rules=MAP ${onlyHost} 127.0.0.1,MAP * ~NOTFOUND`)
  const env = Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value ? [[name, value]] : [])))
  return chromium.launch({ executablePath, args, ...(home === undefined ? {} : { env: { ...env, HOME: home } }) })
}

/**
 * Install a certificate as an authority for web sites, as a person does in the settings of a device, for browsers with
 * that home folder (https://chromium.googlesource.com/chromium/src/+/main/docs/linux/cert_management.md).
 */
export const installAuthority = async (certutil: string, home: string, certificate: string): Promise<void> => {
  const store = join(home, '.pki', 'nssdb')
  await mkdir(store, { recursive: true })
  await runCommand([certutil, '-d', `sql:${store}`, '-N', '--empty-password'])
  await runCommand([certutil, '-d', `sql:${store}`, '-A', '-t', 'C,,', '-n', 'node', '-i', certificate])
}

/** What goes wrong on a page, beginning now: errors and warnings of its console, errors of scripts, requests that fail. */
export const noteComplaints = (page: Page): string[] => {
  const complaints: string[] = []
  page.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type())) return
    complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`)
  })
  page.on('pageerror', (error) => complaints.push(`exception: ${error.message}`))
  page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`))
  return complaints
}

interface Finding {
  id: string
  help: string
  nodes: { html: string; failureSummary?: string }[]
}

/** What axe finds wrong with the page: all its rules, the best practices as well. */
export const findBarriers = async (page: Page): Promise<string[]> => {
  await page.evaluate(axe.source)
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
