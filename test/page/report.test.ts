import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { addTest } from '../../builder/page/add-test.ts'
import { countLicences } from '../../builder/page/content-section.ts'
import { embedData, extractData } from '../../builder/page/report-data.ts'
import { readReport, reportPath, writeReport } from '../../builder/page/report-file.ts'
import { renderReport } from '../../builder/page/report-page.ts'
import { spaceGroups } from '../../builder/page/space-section.ts'
import { scaleStep } from '../../builder/page/waterfall-svg.ts'
import { hostile, reportData } from '../support/report-data.ts'
import { scratch } from '../support/scratch.ts'

const page = renderReport(reportData)
const textOf = (markup: string): string => markup.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ')

test('the data is in the page, whatever it holds', (t) => {
  t.deepEqual(extractData(page), JSON.parse(JSON.stringify(reportData)))
  t.is(extractData(embedData(reportData))?.summary.stages[1]?.summary, hostile)
  t.is(extractData('<html></html>'), undefined)
  t.is(extractData(page.replace('"summary"', '"summary')), undefined)
})

test('names from an image cannot become markup', (t) => {
  t.false(page.includes('<script>alert'))
  t.false(page.includes('<b>'))
  t.is(page.split('<script').length, 3, 'the data and one script of its own')
  t.true(page.includes('&lt;/script&gt;&lt;script&gt;alert(1)'))
})

test('nothing is asked of any other place', (t) => {
  t.notRegex(
    page.replace(/<script type="application\/json".*?<\/script>/s, ''),
    /\b(?:src|href)="(?!#)|url\(|@import|https?:/,
  )
  t.true(page.includes('content="default-src &#39;none&#39;;'))
})

test('it says what there is to say', (t) => {
  const text = textOf(page)
  for (const said of [
    'Debian GNU/Linux 13 (trixie) for arm64, kernel 6.12-arm64',
    'Baked from the profile hub at 2026-03-04 05:06 UTC',
    '13.3 s in all. 1 of 3 steps were taken from the cache, which took 27.0 s when they ran.',
    'cached, took 27.0 s',
    'Against the image of 2026-03-03 00:00 UTC: −10 MB in use.',
    'php 8.4-0 8.4-1 −1.0 MB',
    'On virt, 2026-03-04 06:00 UTC: 1 of 4 checks passed; booted in 2 min 05 s',
    'no radio here',
    'not in time',
    '1 name none',
  ]) {
    t.true(text.includes(said), said)
  }
})

test('before a test it says what will be asked; of an image from elsewhere only what is in it', (t) => {
  const untested = textOf(renderReport({ ...reportData, tests: [] }))
  t.regex(untested, /Not tested yet.*What will be asked.*it answers/)
  const foreign = renderReport({ summary: reportData.summary, tests: [] })
  t.notRegex(foreign, /Where the time went|What changed|id="checks"|#checks/)
})

test('an image without anything in it', (t) => {
  const { summary } = reportData
  const empty = {
    ...summary,
    stages: [],
    packages: [],
    npm: [],
    services: [],
    others: [],
    partitions: [],
    overheadBytes: 0,
  }
  t.notRegex(
    renderReport({ summary: empty, tests: [] }).replace(/<script type.*?<\/script>/s, ''),
    /NaN|undefined|Infinity/,
  )
  t.notRegex(page.replace(/<script type.*?<\/script>/s, ''), /NaN|undefined|Infinity/)
})

test('the map has every block that is used', (t) => {
  const groups = spaceGroups(reportData.summary)
  t.deepEqual(
    groups.map(({ name }) => name),
    ['base', 'wiki', 'not from a package', 'boot partition'],
  )
  const items = groups.flatMap(({ items }) => items)
  const { packages, overheadBytes } = reportData.summary
  const wanted = packages.reduce((sum, { sizeBytes }) => sum + sizeBytes, 3_000_000 + overheadBytes + 90_000_000)
  t.is(Math.round(items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)), Math.round(wanted))
})

test('a licence counts once a package, the most frequent first', (t) => {
  t.deepEqual(
    countLicences([
      { licences: ['ISC'] },
      { licences: ['MIT', 'MIT'] },
      { licences: ['MIT', 'ISC', 'MIT'] },
      { licences: ['MIT'] },
    ]),
    [
      { licence: 'MIT', packages: 3 },
      { licence: 'ISC', packages: 2 },
    ],
  )
})

test('the scale of the time has few lines', (t) => {
  for (const totalMs of [1, 900, 4300, 62_000, 190_000, 3_000_000]) t.true(totalMs / scaleStep(totalMs) <= 8)
  t.is(scaleStep(62_000), 10_000)
})

test('a test is added to the report of that very image, in place of the last on its board', async (t) => {
  const folder = await scratch(t)
  const image = join(folder, 'hub.img')
  const found = { board: 'raspi3b', testedAt: '2026-05-05T00:00:00.000Z', bootMs: 1, checks: [] }
  t.false(await addTest(image, found), 'there is no report')
  t.is(reportPath(image), join(folder, 'hub.report.html'))
  await writeReport(reportPath(image), reportData)
  await writeFile(`${image}.sha256`, `${'cd'.repeat(32)}  hub.img\n`)
  t.false(await addTest(image, found), 'the report is about another image')
  await writeFile(`${image}.sha256`, `${'ab'.repeat(32)}  hub.img\n`)
  t.true(await addTest(image, found))
  const checks = [{ stage: 'wiki', title: 'it answers', outcome: 'passed' as const, durationMs: 2, output: 'much' }]
  t.true(await addTest(image, { ...found, board: 'virt', checks }))
  const read = await readReport(image)
  t.deepEqual(
    read?.tests.map(({ board }) => board),
    ['raspi3b', 'virt'],
  )
  t.is(read?.tests[1]?.checks[0]?.output, undefined, 'what a check printed that passed')
  t.deepEqual((await readdir(folder)).sort(), ['hub.img.sha256', 'hub.report.html'])
})

test('a report that cannot be written leaves nothing behind', async (t) => {
  const folder = await scratch(t)
  const path = join(folder, 'hub.report.html')
  await mkdir(path)
  await t.throwsAsync(writeReport(path, reportData))
  t.deepEqual(await readdir(folder), ['hub.report.html'])
  await t.throwsAsync(readFile(path))
})
