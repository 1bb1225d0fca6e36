import jsqr from 'jsqr'
import type { Browser } from 'playwright-core'

interface Pixels {
  width: number
  height: number
  data: number[]
}

/** Read the QR code on a picture (PNG), whoever drew it; undefined when there is none that can be read. */
export const readQrPicture = async (browser: Browser, png: Buffer): Promise<string | undefined> => {
  await using page = await browser.newPage()
  const source = `data:image/png;base64,${png.toString('base64')}`
  const { width, height, data } = (await page.evaluate(`(async () => {
    const image = new Image()
    image.src = ${JSON.stringify(source)}
    await image.decode()
    const canvas = document.createElement('canvas')
    canvas.width = image.width
    canvas.height = image.height
    const context = canvas.getContext('2d')
    context.drawImage(image, 0, 0)
    const {width, height} = canvas
    return {width, height, data: [...context.getImageData(0, 0, width, height).data]}
  })()`)) as Pixels
  return jsqr.default(Uint8ClampedArray.from(data), width, height)?.data
}
