import { encode } from 'uqr'
import { html, type Markup } from '../page/html.ts'

/** Modules that have to stay white around a code (ISO/IEC 18004, 6.3.8). */
const quietModules = 4

/** Text as a QR code for printing, with what people who cannot see it are told; a sixth of it may get dirty. */
export const renderQr = (text: string, title: string): Markup => {
  const { size, data } = encode(text, { ecc: 'M', border: quietModules })
  const runs = data.flatMap((row, y) =>
    row.flatMap((isDark, x) =>
      isDark && row[x - 1] !== true ? [{ x, y, length: row.slice(x).findIndex((dark) => !dark) }] : [],
    ),
  )
  const path = runs.map(({ x, y, length }) => `M${x} ${y}h${length}v1h-${length}z`).join('')
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" role="img" aria-label="${title}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h${size}v${size}H0z"/><path d="${path}"/></svg>`
}
