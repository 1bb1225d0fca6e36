import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { errnoOf } from '../core/error.ts'
import { extractData, type ReportData } from './report-data.ts'
import { renderReport } from './report-page.ts'

/** Where the report of an image is: `images/pub.report.html` for `images/pub.img`. */
export const reportPath = (image: string): string => `${image.replace(/\.img$/, '')}.report.html`

/** What the report beside an image says; undefined where there is none that can be read. */
export const readReport = async (image: string): Promise<ReportData | undefined> => {
  try {
    return extractData(await readFile(reportPath(image), 'utf8'))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Write a report to `path`, whole or not at all. */
export const writeReport = async (path: string, data: ReportData): Promise<void> => {
  const partial = `${path}.${randomUUID()}`
  try {
    await writeFile(partial, renderReport(data))
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}
