import { renderSVG } from 'uqr'
import { asMarkup, html, type Markup } from '../page/html.ts'

/** An address as a QR code that phones read off a screen. */
export const drawCode = (address: string): Markup => {
  const picture = Buffer.from(renderSVG(address, { border: 1, pixelSize: 1 })).toString('base64')
  return html`<img class="code" src="${asMarkup(`data:image/svg+xml;base64,${picture}`)}" alt="QR code of ${address}">`
}
