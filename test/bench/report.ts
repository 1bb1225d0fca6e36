import { escapeXml, formatRatio, formatValue } from './format.ts'
import { machineLines, timeLine } from './machine.ts'
import { renderPeers } from './peers/report.ts'
import { isWithin, type PartResult, type Row, ratioOf } from './result.ts'

/** The ratio, and which way it is meant. */
const stateRatio = (row: Row): string => {
  const ratio = formatRatio(row)
  return ratio !== '' && row.ratio === 'faster' ? `${ratio} faster` : ratio
}

const formatLimit = (row: Row): string => {
  if (row.limit === undefined) return ''
  const verdict = isWithin(row) ? '✓' : '✗'
  if (ratioOf(row) === undefined) return `at most ${formatValue(row.limit, row.unit)} ${verdict}`
  return `at ${row.ratio === 'faster' ? 'least' : 'most'} ${row.limit}× ${verdict}`
}

const headings = ['What', 'pibake', 'Held against', 'Ratio', 'Wanted']

const cellsOf = (row: Row): string[] => [
  row.what,
  formatValue(row.measured, row.unit),
  row.reference ? `${row.reference.what}: ${formatValue(row.reference.value, row.unit)}` : '',
  stateRatio(row),
  formatLimit(row),
]

/** The rows as a table of aligned columns, for a terminal. */
export const renderText = (rows: readonly Row[]): string => {
  const lines = [headings, ...rows.map((row) => cellsOf(row).map((cell) => cell.replaceAll('`', '')))]
  const widths = headings.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)))
  return lines
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The parts of each run, which have its time and load in common. */
const runsOf = (results: readonly PartResult[]): string[] => {
  const runs = Map.groupBy(results, ({ machine }) => timeLine(machine))
  return [...runs].map(([when, of]) => `Measured ${of.map(({ part }) => part).join(', ')}: ${when}`)
}

const renderOwn = (rows: readonly Row[]): string =>
  rows.length === 0
    ? ''
    : `![Bars of pibake against what it is held against](bench.svg)

| ${headings.join(' | ')} |
|${headings.map(() => '---').join('|')}|
${rows.map((row) => `| ${cellsOf(row).join(' | ')} |`).join('\n')}
`

/** The page for `docs/`, whole, from results of one machine. */
export const renderPage = (results: readonly PartResult[]): string => `# Measurements

Written by \`npm run bench\`; ratios carry over to other machines, seconds do not. Raw numbers: [bench.json](bench.json).

${renderOwn(results.filter(({ part }) => part !== 'peers').flatMap(({ rows }) => rows))}${renderPeers(
  results.filter(({ part }) => part === 'peers').flatMap(({ rows }) => rows),
)}
## The machine

${[...results.slice(0, 1).flatMap(({ machine }) => machineLines(machine)), ...runsOf(results)]
  .map((line) => `- ${line}`)
  .join('\n')}

## What is measured

- **Native twins**: two fixed sets, each installed by one run of apt into the sealed base: once with native twins, once
  with every program of the target under qemu-user. The first, \`test/bench/twins.yaml\`, is the services of a community
  node, Python among them. The second is what the stages of \`pub\` bring, with the stages' own packages and the extra
  packages of its mirror; it was the only one until it turned out to be half unpacking, which both do alike, so the
  wanted ratio is asked of the first. Processor time is user and system time of all that was started.
- **Whole bake**: a checkout without layers, stage packages or package index, with all packages in its cache. Peak memory
  is the largest sum of proportional set sizes of all processes, sampled five times a second; cached files are not in it.
- **Second run**: median of five. **Edited line**: median of three; the last stage, the end of the bake and the image are
  made anew.
- **Image step**: median of three, from the merged layers to an image that is on disk with its digests. It is held
  against a copy of the finished file, and against writing the same root file system without anything around it.
- **Boot verdict**: until systemd says that the boot is over, against a boot to the same point with \`-cpu max\`, the
  image's own kernel command line and a cached disk.
- **The same image by others**: the base of pibake with the stage \`ssh\`: about 160 packages of Debian for arm64 with a
  kernel and an initramfs, and the project's own files, as a partition table, a boot partition and an ext4 root. pibake
  makes its stage packages, its lint, its report and the lists of what is in the image besides. All take the packages
  from the same files of one signed mirror on this machine, and every image is checked to have exactly the packages of
  the lock. Times end when the disk has what was written. Each figure is one run. Memory as above; what was written is
  what the disk counts meanwhile.
  - All peers are those of Debian 13, with its qemu-user for what is arm64. That is registered in a user namespace of
    the bench, which \`chroot\` and the mmdebstrap of debos enter by a wrapper; a chroot stands in for systemd-nspawn
    under debos, for that cannot start in one, and \`udevadm\` does nothing, for there is no udevd.
  - Their root partition is 256 MiB larger than pibake's, for they leave apt's lists on it. The partition table of mkosi
    is a GPT. vmdb2 is given a loop device. The SHA-256 of the image is part of everybody's time.
  - mmdebstrap (\`--variant=essential --dpkgopt=force-unsafe-io\`, packages read in place) keeps nothing: its second run
    and its run after an edit are its first. Around it, \`mkfs.vfat\`, \`mcopy\` and \`mke2fs -d\` write the image.
  - mkosi has \`Incremental=yes\` and \`PackageCacheDirectory=\`, and writes the image with systemd-repart, offline.
  - vmdb2 has \`--rootfs-tarball\`, and its zerofree is off. debos has two recipes, one that packs the tree and one that
    makes the image of it, uncompressed, without fakemachine. Both mount what they write, so the boot partition is ext2
    where the kernel has no driver for FAT; what they do to make an image of a finished tree is their second run.
  - Only mkosi compresses by itself; it is given pibake's level (\`CompressLevel=\` 3 for zst, 6 for xz).

## Run it

\`\`\`
sudo npm run bench                    # all, about 50 minutes on two cores
sudo npm run bench -- --only twins    # some: twins, bake, community, image, flash, boot, peers
\`\`\`

It brings what it lacks of \`pub\`, \`community\` and the peers, and leaves nothing behind but \`docs/bench.md\`,
\`docs/bench.json\` and the two plots, and the peers' packages below \`.pibake/bench-peers\`, which may be deleted. With
\`--only\` the other rows stay as they were; on another machine than theirs the result goes to \`.pibake/bench\` instead.
Close everything else that uses the processor or the disk.
`

/** A bar for each side of each row that has two, longest first within a row; widths are relative to that row. */
export const renderPlot = (rows: readonly Row[]): string => {
  const paired = rows.flatMap((row) => (row.reference ? [{ row, reference: row.reference }] : []))
  const [width, left, rowHeight, bar] = [860, 20, 84, 18]
  const full = width - 2 * left - 90
  const groups = paired.map(({ row, reference }, index) => {
    const top = 12 + index * rowHeight
    const most = Math.max(row.measured, reference.value)
    const line = (value: number, label: string, y: number, colour: string): string => {
      const length = Math.max(2, (value / most) * full)
      const inside = length > full * 0.6
      const place = inside ? `x="${left + 8}" fill="#fff"` : `x="${left + length + 8}" fill="#333"`
      return [
        `<rect x="${left}" y="${y}" width="${length.toFixed(1)}" height="${bar}" rx="3" fill="${colour}"/>`,
        `<text ${place} y="${y + 13}">${escapeXml(`${label}: ${formatValue(value, row.unit)}`)}</text>`,
      ].join('')
    }
    const title = escapeXml(`${row.what.replaceAll('`', '')} (${stateRatio(row)})`)
    return [
      `<text x="${left}" y="${top + 12}" font-weight="bold" fill="#111">${title}</text>`,
      line(row.measured, 'pibake', top + 20, '#c51a4a'),
      line(reference.value, reference.what.replaceAll('`', ''), top + 42, '#6c7a89'),
    ].join('\n')
  })
  const height = 12 + paired.length * rowHeight
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="#fff"/>
${groups.join('\n')}
</svg>
`
}
