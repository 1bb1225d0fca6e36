import type { Sha256 } from '../core/digest.ts'
import { compareSummaries } from '../inspect/changes.ts'
import { readImageTree } from '../inspect/image-tree.ts'
import { type ImageSummary, summariseImage } from '../inspect/summary.ts'
import type { Lock } from '../lock/schema.ts'
import type { ReportData } from '../page/report-data.ts'
import { readReport, reportPath, writeReport } from '../page/report-file.ts'
import type { TimedStep } from '../page/waterfall-svg.ts'
import type { PlannedStep } from '../plan/plan.ts'

const summarise = async (image: string, { steps }: Pick<Lock, 'steps'>): Promise<ImageSummary> => {
  await using tree = await readImageTree(image)
  const origins = steps.flatMap(({ name, debs }) => debs.map((deb) => [deb.name, name] as const))
  return summariseImage(tree, { origins: new Map(origins) })
}

/** Steps with the titles of the plan, and how long those took before that were taken from the cache now. */
const describeSteps = (timed: readonly TimedStep[], planned: readonly PlannedStep[]): TimedStep[] =>
  timed.map((step) => {
    const plan = planned.find(({ id }) => id === step.id)
    const { title = step.title, expectedMs } = plan ?? {}
    return { ...step, title, ...(step.outcome === 'cached' && expectedMs !== undefined ? { lastMs: expectedMs } : {}) }
  })

/** What is carried over from the report before: the same image keeps its tests, another one is compared with. */
const carryOver = (
  previous: ReportData | undefined,
  sha256: Sha256,
  summary: ImageSummary,
): Pick<ReportData, 'changes' | 'tests'> => {
  if (!previous?.bake) return { tests: [] }
  if (previous.bake.sha256 !== sha256) {
    return { changes: { since: previous.bake.bakedAt, ...compareSummaries(previous.summary, summary) }, tests: [] }
  }
  return { tests: previous.tests, ...(previous.changes ? { changes: previous.changes } : {}) }
}

/**
 * Write the report of an image that has just been baked, beside it, and compare it with the image that the report there
 * was about. It reads the names in the image and a few of its files: about a second for `pub`.
 */
export const writeBakeReport = async (options: {
  image: string
  sha256: Sha256
  profile: string
  lock: Pick<Lock, 'steps'>
  planned: readonly PlannedStep[]
  timed: readonly TimedStep[]
}): Promise<void> => {
  const { image, sha256, profile, lock, planned, timed } = options
  const summary = await summarise(image, lock)
  const bake = { profile, sha256, bakedAt: new Date().toISOString(), steps: describeSteps(timed, planned) }
  const carried = carryOver(await readReport(image), sha256, summary)
  await writeReport(reportPath(image), { summary, bake, ...carried })
}
