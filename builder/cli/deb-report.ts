import { formatBytes } from '../core/size.ts'
import type { Paint } from '../report/style.ts'
import { renderTable } from '../report/table.ts'
import { debianName } from '../repository/merge.ts'

/** What a run has left in a repository. */
export interface Outcome {
  folder: string
  uri: string
  suite: string
  fingerprint: string
  packages: readonly {
    name: string
    version: string
    architecture: string
    file: string
    from: string
    sizeBytes: number
    maintainer?: string | undefined
  }[]
  added: number
}

/** What to do on a Pi, given where it finds the repository. */
const instructions = ({ folder, uri }: Outcome, paint: Paint): string[] => [
  paint('bold', 'On a Pi that runs already'),
  ...(uri.startsWith('file:')
    ? [
        `  1. Take this folder there, on a stick or with rsync, or let \`pibake serve\` offer it: ${folder}`,
        '  2. sudo cp pibake.sources /etc/apt/sources.list.d/',
        `     Its line \`URIs:\` says ${uri}; where the folder lies elsewhere on the Pi, change that.`,
      ]
    : [
        `  1. Put this folder where ${uri} leads: ${folder}`,
        `  2. sudo wget -O /etc/apt/sources.list.d/pibake.sources ${uri}/pibake.sources`,
      ]),
  '  3. sudo apt update && sudo apt install PACKAGE',
]

/** The packages of a repository, and what to do on a Pi. */
export const renderRepository = (outcome: Outcome, paint: Paint): string[] => {
  const { packages, added, fingerprint, suite } = outcome
  const rows = packages
    .filter(({ from }) => from !== debianName)
    .map(({ name, version, architecture, from, sizeBytes }) => [
      paint('bold', name),
      version,
      architecture,
      formatBytes(sizeBytes),
      paint('dim', from),
    ])
  const ofDebian = packages.length - rows.length
  return [
    ...renderTable(rows),
    ...(ofDebian > 0 ? [`and ${ofDebian} packages of Debian`] : []),
    '',
    `${packages.length} packages for ${suite}, ${added} of them new. Signed by ${fingerprint}`,
    '',
    ...instructions(outcome, paint),
  ]
}
