import { PibakeError } from '../core/error.ts'
import { formatBytes } from '../core/size.ts'
import { readImageTree } from '../inspect/image-tree.ts'
import { type ImageSummary, type PartitionSummary, summariseImage } from '../inspect/summary.ts'
import { writeReport } from '../page/report-file.ts'
import type { Paint } from '../report/style.ts'
import { renderTable } from '../report/table.ts'
import { defineCommand } from './command.ts'
import { section } from './describe.ts'
import { wholeImage } from './whole-image.ts'

/** How many of the largest packages and folders are shown unless all are asked for. */
const shownPackages = 15
const shownFolders = 8

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`

const describePartition = ({
  number,
  fileSystem,
  label,
  id,
  sizeBytes,
  usedBytes,
  type,
}: PartitionSummary): string[] => [
  `${number}`,
  fileSystem ?? `type 0x${type.toString(16)}`,
  label,
  id,
  fileSystem === undefined ? formatBytes(sizeBytes) : `${formatBytes(usedBytes)} used of ${formatBytes(sizeBytes)}`,
]

const bySize = <T extends { sizeBytes: number }>(items: readonly T[]): T[] =>
  items.toSorted((a, b) => b.sizeBytes - a.sizeBytes)

/** What `pibake inspect` prints. With `all`, every package by name instead of the largest. */
export const renderSummary = (summary: ImageSummary, { paint, all }: { paint: Paint; all: boolean }): string[] => {
  const { system, stages, packages, npm, services, others } = summary
  const kernels = system.kernels.length === 0 ? 'no kernel' : `kernel ${system.kernels.join(', ')}`
  const shown = all ? packages : bySize(packages).slice(0, shownPackages)
  const more = packages.length - shown.length
  const folders = all ? others : others.slice(0, shownFolders)
  return [
    `${paint('bold', summary.image)}: ${formatBytes(summary.sizeBytes)}, disk id ${summary.diskId}`,
    `${system.name} for ${system.architecture}, host name \`${system.hostname}\`, ${kernels}`,
    ...section('Partitions', renderTable(summary.partitions.map(describePartition)), paint),
    ...section(
      'Stages',
      renderTable(
        stages.map(({ name, version, packages: brought, sizeBytes, summary: says }) => [
          paint('bold', name),
          version ?? '',
          count(brought, 'package'),
          formatBytes(sizeBytes),
          says,
        ]),
      ),
      paint,
    ),
    ...section(
      all ? 'Packages' : 'Largest packages',
      renderTable(
        shown.map(({ name, version, sizeBytes, stage }) => [
          formatBytes(sizeBytes),
          name,
          version,
          paint('dim', stage),
        ]),
      ),
      paint,
    ),
    ...(more > 0 ? [paint('dim', `  and ${more} more: --all`)] : []),
    ...section(
      'Not from a package',
      renderTable([
        ...folders.map(({ path, sizeBytes, files }) => [formatBytes(sizeBytes), path, count(files, 'file')]),
        [formatBytes(summary.overheadBytes), 'the file system itself', ''],
      ]),
      paint,
    ),
    '',
    `${count(packages.length, 'Debian package')}, ${count(npm.length, 'npm package')}, ${count(services.length, 'service')} at boot`,
  ]
}

const writePage = async (path: string, summary: ImageSummary): Promise<void> => {
  await writeReport(path, { summary, tests: [] }).catch((cause: unknown) => {
    throw new PibakeError('USAGE', `\`${path}\` cannot be written.`, {
      hint: 'Name a file in a folder that can be written.',
      cause,
    })
  })
}

export const inspect = defineCommand({
  options: {
    html: { type: 'string', describe: 'File to write the same to as a page for a browser besides' },
    all: { type: 'boolean', default: false, describe: 'Every package and folder, not just the largest' },
  },
  positionals: {
    image: {
      type: 'string',
      demandOption: true,
      describe: 'Path of an image, or of one in an xz, gzip, zstd or zip archive',
    },
  },
  examples: [
    ['$0 inspect images/pub.img', 'What is in it, and what takes the space'],
    ['$0 inspect images/pub.img --all', 'With every package'],
    ['$0 inspect raspios.img.xz', 'An image as it was downloaded'],
    ['$0 inspect other.img --html other.html', 'A page with a map of the space, for an image that was not baked here'],
    ['$0 inspect images/pub.img --json', 'The same and more as JSON: licences, npm packages, services'],
  ],
  async run({ image, all, html }, context) {
    await using whole = await wholeImage(context, image)
    await using tree = await readImageTree(whole.path)
    const summary = summariseImage(tree)
    if (html !== undefined) await writePage(html, summary)
    return { data: summary, lines: (paint) => renderSummary(summary, { paint, all }) }
  },
})
