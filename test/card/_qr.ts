import jsqr from 'jsqr'

/** Pixels of a module. */
const scale = 4

/** Read a QR code that `renderQr` made out of its picture: runs `Mx yhLv1h-Lz`, painted and read by another library. */
export const readQrSvg = (svg: string): string | undefined => {
  const size = Number(/viewBox="0 0 (\d+) /.exec(svg)?.[1])
  const path = /<path d="([^"]*)"\/>/.exec(svg)?.[1] ?? ''
  const side = size * scale
  const pixels = new Uint8ClampedArray(side * side * 4).fill(255)
  for (const [, x, y, length] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\3z/g)) {
    for (let row = 0; row < scale; row += 1) {
      const from = ((Number(y) * scale + row) * side + Number(x) * scale) * 4
      for (let at = 0; at < Number(length) * scale; at += 1) pixels.fill(0, from + at * 4, from + at * 4 + 3)
    }
  }
  return jsqr.default(pixels, side, side)?.data
}

/** The pictures on a page, with what they are said to be. */
export const findCodes = (page: string): { title: string; text: string | undefined }[] =>
  [...page.matchAll(/<svg [^>]*aria-label="([^"]*)".*?<\/svg>/g)].map(([svg, title = '']) => ({
    title,
    text: readQrSvg(svg),
  }))
