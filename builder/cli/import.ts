import { resolve } from 'node:path'
import { showText } from '../bundle/bundle.ts'
import { type ImportedBundle, importBundle } from '../bundle/bundle-import.ts'
import { openBundle } from '../bundle/bundle-open.ts'
import type { Change } from '../bundle/import-changes.ts'
import { type Manifest, profileBundle } from '../bundle/profile-bundle.ts'
import { formatBytes } from '../core/size.ts'
import type { Paint } from '../report/style.ts'
import { renderTable } from '../report/table.ts'
import { defineCommand, type Result } from './command.ts'

/** What a bundle holds, as a table. */
export const renderContents = ({ profile, pibake, files, cache = [] }: Manifest, paint: Paint): string[] => {
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  return [
    `${paint('bold', profile)}: ${files.length} files, ${formatBytes(total)}, written by pibake ${pibake}`,
    '',
    ...renderTable(files.map(({ path, mode, sizeBytes }) => [mode, formatBytes(sizeBytes), path])),
    ...(cache.length === 0
      ? []
      : [
          '',
          'For the cache:',
          '',
          ...renderTable(cache.map(({ label, sizeBytes }) => [formatBytes(sizeBytes), showText(label)])),
        ]),
  ]
}

const colours = { new: 'green', differs: 'yellow', extra: 'red' } as const

/** What an import does or did to the files of the checkout; those that stay the same are only counted. */
export const renderChanges = ({ manifest, changes, items, applied }: ImportedBundle, paint: Paint): string[] => {
  const rows = changes.flatMap(({ path, state }) => (state === 'same' ? [] : [[paint(colours[state], state), path]]))
  const count = (wanted: Change['state']): number => changes.filter(({ state }) => state === wanted).length
  const [differ, extra] = applied ? ['replaced', 'removed'] : ['differ', 'extra here']
  const sum = `${count('new')} new, ${count('differs')} ${differ}, ${count('extra')} ${extra}, ${count('same')} the same`
  const table = rows.length === 0 ? [] : [...renderTable(rows), '']
  const came = items.added === 0 ? [] : [`${items.added} items (${formatBytes(items.sizeBytes)}) for the cache.`]
  if (!applied) return [...table, ...came, `${sum}; nothing was written.`]
  const trust = 'Its stages run as root on the image: look at them before you bake.'
  return [...table, ...came, `Imported \`${manifest.profile}\`: ${sum}.`, ...(rows.length === 0 ? [] : [trust])]
}

const list = async (file: string): Promise<Result> => {
  await using bundle = await openBundle(file, profileBundle)
  const { manifest } = bundle
  return { data: manifest, lines: (paint) => renderContents(manifest, paint) }
}

export const importCommand = defineCommand({
  options: {
    list: { type: 'boolean', default: false, describe: 'Only list what is in the bundle' },
    'dry-run': {
      type: 'boolean',
      default: false,
      describe: 'Check all of it and say what would change; write nothing',
    },
  },
  positionals: { file: { type: 'string', demandOption: true, describe: 'A bundle that `pibake export` made' } },
  examples: [
    ['$0 import pub.asar', 'Bring a profile with its stages and locks into this checkout'],
    ['$0 import --list pub.asar', 'What is in it'],
    ['$0 import --yes pub.asar', 'The same, in place of files that differ here'],
  ],
  async run({ file, list: listOnly, 'dry-run': dryRun }, { project, options, emit, signal }) {
    const path = resolve(file)
    if (listOnly) return list(path)
    const imported = await importBundle({ project, file: path, overwrite: options.yes, dryRun, emit, signal })
    const { manifest, changes, items, applied, failure } = imported
    return {
      data: { profile: manifest.profile, pibake: manifest.pibake, applied, items, changes },
      lines: (paint) => renderChanges(imported, paint),
      ...(failure === undefined ? {} : { failure }),
    }
  },
})
