import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { asMarkup, html, type Markup } from '../page/html.ts'
import { type Label, wifiCode } from './label.ts'
import { groupsOf } from './one-time.ts'
import { renderQr } from './qr-svg.ts'

const style = asMarkup(readFileSync(join(import.meta.dirname, 'labels.css'), 'utf8').trimEnd())

/** Nothing is loaded from anywhere, and nothing runs. */
const policy = "default-src 'none'; style-src 'unsafe-inline'"

const fact = (name: string, value: Markup): Markup => html`<div><dt>${name}</dt><dd>${value}</dd></div>`

const code = (text: string): Markup => html`<code>${text}</code>`

/** The gaps between groups are drawn: who copies the password gets none. */
const renderPassword = (password: string): Markup => {
  const groups = groupsOf(password).map((group) => `<span>${group}</span>`)
  return asMarkup(`<code class="password">${groups.join('')}</code>`)
}

const renderCodes = ({ wifi, portal }: Label): Markup => {
  const codes = [
    ...(wifi ? [{ title: 'Join the Wi-Fi', text: wifiCode(wifi) }] : []),
    ...(portal === undefined ? [] : [{ title: 'Open the front page', text: portal }]),
  ]
  if (codes.length === 0) return asMarkup('')
  const pictures = codes.map(
    ({ title, text }) => html`<figure>${renderQr(text, `QR code: ${title}`)}<figcaption>${title}</figcaption></figure>`,
  )
  return html`<div class="codes">${pictures}</div>`
}

const renderFacts = ({ hostname, addresses, portal, wifi, login }: Label): Markup => {
  const facts = [
    ...(wifi ? [fact('Wi-Fi', code(wifi.ssid))] : []),
    ...(wifi && wifi.passphrase !== '' ? [fact('Pass phrase', code(wifi.passphrase))] : []),
    ...(portal === undefined ? [] : [fact('Front page', code(portal))]),
    ...(addresses.length === 0 ? [] : [fact('Found as', html`${addresses.map(code)}`)]),
    ...(login ? [fact('Log in', code(`ssh ${login.user}@${addresses[0] ?? hostname}`))] : []),
    ...(login ? [fact('First password', renderPassword(login.password))] : []),
  ]
  return facts.length === 0 ? asMarkup('') : html`<dl>${facts}</dl>`
}

const renderLabel = (label: Label): Markup => html`<article>
<h2>${label.hostname}</h2>
${label.role === undefined ? undefined : html`<p class="role">${label.role}</p>`}
${renderFacts(label)}
${renderCodes(label)}
${label.login ? html`<p class="note">Whoever logs in first has to choose another password.</p>` : undefined}
</article>`

/** A sheet of labels to print and cut: one HTML page that needs nothing else. It holds secrets. */
export const renderLabels = (labels: readonly Label[], image: string): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="referrer" content="no-referrer">
<title>Labels for ${labels.length} ${labels.length === 1 ? 'card' : 'cards'}</title>
<style>
${style}
</style>
</head>
<body>
<header>
<h1>Labels for ${image}</h1>
<p>These labels hold passwords. Print them, give each with its card, and delete this file: they are kept nowhere else.</p>
</header>
<main>
${labels.map(renderLabel)}
</main>
</body>
</html>
`.markup
