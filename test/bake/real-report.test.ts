import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { writeBakeReport } from '../../builder/bake/report.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { readReport } from '../../builder/page/report-file.ts'
import type { TimedStep } from '../../builder/page/waterfall-svg.ts'
import type { PlannedStep } from '../../builder/plan/plan.ts'
import { makeImage } from '../support/make-image.ts'
import { scratch } from '../support/scratch.ts'

const ifRoot = process.getuid?.() === 0 ? test : test.skip

const timed: TimedStep[] = [
  { id: 'base', title: 'base', outcome: 'cached', startMs: 0, durationMs: 0 },
  { id: 'wiki', title: 'Stage: wiki', outcome: 'run', startMs: 10, durationMs: 4000 },
]
const planned = ['base', 'wiki'].map(
  (id, index): PlannedStep => ({
    id,
    title: index === 0 ? 'Base: Debian' : 'Stage: wiki',
    inputs: [],
    key: hashBytes(id),
    action: index === 0 ? 'cached' : 'run',
    why: '',
    expectedMs: 27_000,
  }),
)

const paragraph = (name: string, version: string): string =>
  `Package: ${name}\nStatus: install ok installed\nArchitecture: all\nVersion: ${version}\n\n`

ifRoot('a report says what changed since the image before, and keeps the tests of the same image', async (t) => {
  const folder = await scratch(t)
  const [root, image] = [join(folder, 'root'), join(folder, 'hub.img')]
  await mkdir(join(root, 'var/lib/dpkg'), { recursive: true })
  await mkdir(join(root, 'etc'))
  const deb = { architecture: 'all', path: 'x', archive: 'main' as const, sizeBytes: 1, sha256: hashBytes('x') }
  const lock = { steps: [{ name: 'wiki', debs: [{ ...deb, name: 'php', version: '1' }] }] }
  const bake = async (version: string) => {
    const options = { image, sha256: hashBytes(version), profile: 'hub', lock, planned, timed }
    await writeFile(join(root, 'var/lib/dpkg/status'), paragraph('php', version) + paragraph('apt', '3'))
    await makeImage(image, { root })
    await writeBakeReport(options)
    return readReport(image)
  }
  const first = await bake('1')
  t.is(first?.changes, undefined)
  t.like(first?.bake, { profile: 'hub', sha256: hashBytes('1') })
  t.deepEqual(
    first?.bake?.steps.map(({ title, outcome, lastMs }) => [title, outcome, lastMs]),
    [
      ['Base: Debian', 'cached', 27_000],
      ['Stage: wiki', 'run', undefined],
    ],
  )
  t.deepEqual(
    first?.summary.packages.map(({ name, stage }) => [name, stage]),
    [
      ['apt', 'base'],
      ['php', 'wiki'],
    ],
  )
  const second = await bake('2')
  t.is(second?.changes?.since, first?.bake?.bakedAt)
  t.like(second?.changes?.packages, [{ name: 'php', before: '1', after: '2' }])
  const again = await bake('2')
  t.deepEqual(again?.changes, second?.changes, 'the same image, baked again')
})
