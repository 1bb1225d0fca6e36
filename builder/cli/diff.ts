import { basename } from 'node:path'
import { runStep } from '../core/event.ts'
import { formatBytes } from '../core/size.ts'
import type { VersionChange } from '../inspect/changes.ts'
import type { FactDifference } from '../inspect/compare.ts'
import { diffImages, type ImageDiff, type OwnedDifference } from '../inspect/diff.ts'
import type { Paint } from '../report/style.ts'
import { renderTable } from '../report/table.ts'
import { defineCommand } from './command.ts'
import { section } from './describe.ts'
import { wholeImage } from './whole-image.ts'

/** How many npm packages, and how many files, are named unless all are asked for. */
const shownAtMost = 40

const marks = { added: '+', removed: '-', changed: '~' } as const
const colours = { added: 'green', removed: 'red', changed: 'yellow' } as const

const kindOf = ({ before, after }: VersionChange): keyof typeof marks =>
  before === undefined ? 'added' : after === undefined ? 'removed' : 'changed'

const growth = (bytes: number): string => `${bytes < 0 ? '-' : '+'}${formatBytes(Math.abs(bytes))}`

const describeVersions = (changes: readonly VersionChange[], paint: Paint): string[] =>
  renderTable(
    changes.map((change) => {
      const kind = kindOf(change)
      const { name, before, after, sizeBefore, sizeAfter } = change
      return [
        paint(colours[kind], `${marks[kind]} ${name}`),
        [before, after].filter((version) => version !== undefined).join(' → '),
        sizeBefore === undefined || sizeAfter === undefined ? '' : growth(sizeAfter - sizeBefore),
      ]
    }),
  )

const describeFact = ({ where, what, before, after }: FactDifference): string[] => [
  where,
  what,
  `${before ?? 'none'} → ${after ?? 'none'}`,
]

const describeEntry = (difference: OwnedDifference, paint: Paint): string[] => {
  const { partition, path, change, aspects, before, after, package: owner } = difference
  const size =
    change === 'changed' && aspects[0] === 'content' && before && after && before.sizeBytes !== after.sizeBytes
      ? ` (${growth(after.sizeBytes - before.sizeBytes)})`
      : ''
  const says = change === 'changed' ? aspects.join(', ') + size : formatBytes((after ?? before)?.sizeBytes ?? 0)
  return [paint(colours[change], `${marks[change]} ${partition}:${path}`), says, paint('dim', owner ?? '')]
}

/** Files of packages that were added, removed or have another version are expected to differ. */
const isExpected = ({ package: owner }: OwnedDifference, changed: ReadonlySet<string>): boolean =>
  owner !== undefined && changed.has(owner)

/** What `pibake diff` prints. With `all`, every file; otherwise some of those that no change of a package explains. */
export const renderDiff = (
  diff: ImageDiff,
  { names, paint, all }: { names: readonly [string, string]; paint: Paint; all: boolean },
): string[] => {
  const { facts, stages, packages, npm, entries } = diff
  if (diff.isSame) return [`${paint('green', 'The same')}: table, file systems and every file.`]
  const changed = new Set(packages.map(({ name }) => name))
  const wanted = all ? entries : entries.filter((entry) => !isExpected(entry, changed))
  const shown = all ? wanted : wanted.slice(0, shownAtMost)
  const hidden = entries.length - shown.length
  const title = all || changed.size === 0 ? 'Files' : 'Files, without those of the packages above'
  return [
    `${paint('bold', names[0])} → ${paint('bold', names[1])}: ${growth(diff.usedAfter - diff.usedBefore)} in use`,
    ...section('Image', renderTable(facts.map(describeFact)), paint),
    ...section('Stages', describeVersions(stages, paint), paint),
    ...section('Debian packages', describeVersions(packages, paint), paint),
    ...section('npm packages', describeVersions(all ? npm : npm.slice(0, shownAtMost), paint), paint),
    ...(all || npm.length <= shownAtMost ? [] : [paint('dim', `  and ${npm.length - shownAtMost} more: --all`)]),
    ...section(title, renderTable(shown.map((entry) => describeEntry(entry, paint))), paint),
    ...(hidden > 0 ? ['', paint('dim', `${hidden} more files differ: --all`)] : []),
  ]
}

export const diff = defineCommand({
  options: { all: { type: 'boolean', default: false, describe: 'Name every file that differs' } },
  positionals: {
    before: { type: 'string', demandOption: true, describe: 'Path of an image, or of one in an archive' },
    after: { type: 'string', demandOption: true, describe: 'Path of another' },
  },
  examples: [
    ['$0 diff old.img images/pub.img', 'What changed: packages, stages, partitions, files'],
    ['$0 diff old.img images/pub.img >/dev/null && echo same', 'As diff(1) does: exit 0 the same, 1 not, 2 trouble'],
    ['$0 diff old.img images/pub.img --json', 'Every file, with what it was and what it is'],
  ],
  async run({ before, after, all }, context) {
    const { emit, signal } = context
    await using left = await wholeImage(context, before)
    await using right = await wholeImage(context, after)
    const found = await runStep(emit, { id: 'compare', title: 'Compare the images' }, () =>
      diffImages(left.path, right.path, {
        signal,
        onProgress: (done, total) => emit({ type: 'step-progress', id: 'compare', done, total, unit: 'bytes' }),
      }),
    )
    const names = [basename(before), basename(after)] as const
    return {
      data: found,
      lines: (paint) => renderDiff(found, { names, paint, all }),
      exitCode: found.isSame ? 0 : 1,
    }
  },
})
