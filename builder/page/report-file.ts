import { rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { readIfThere } from '../core/file.ts'
import { unfinishedFolder } from '../core/project.ts'
import { makeScratch } from '../host/scratch.ts'
import { extractData, type ReportData } from './report-data.ts'
import { renderReport } from './report-page.ts'

/** Where the report of an image is: `images/pub.report.html` for `images/pub.img`. */
export const reportPath = (image: string): string => `${image.replace(/\.img$/, '')}.report.html`

/** What the report beside an image says; undefined where there is none that can be read. */
export const readReport = async (image: string): Promise<ReportData | undefined> => {
  const text = await readIfThere(reportPath(image))
  return text === undefined ? undefined : extractData(text)
}

/** Write a report to `path`, whole or not at all; what a killed run leaves of it is swept by the next one. */
export const writeReport = async (path: string, data: ReportData): Promise<void> => {
  await using scratch = await makeScratch(join(dirname(path), unfinishedFolder))
  const unfinished = join(scratch.path, basename(path))
  await writeFile(unfinished, renderReport(data))
  await rename(unfinished, path)
}
