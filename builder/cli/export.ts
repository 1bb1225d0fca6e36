import { join, resolve } from 'node:path'
import { exportBundle } from '../bundle/bundle-export.ts'
import { PibakeError } from '../core/error.ts'
import { type Project, readVersion } from '../core/project.ts'
import { formatBytes } from '../core/size.ts'
import { defineCommand } from './command.ts'

/** Where a bundle goes: the file that was named, else beside the images. Throws `USAGE` for another kind of file. */
export const bundleDestination = (project: Project, profile: string, file: string | undefined): string => {
  if (file === undefined) return join(project.images, `${profile.replace(/^.*\/|\.ya?ml$/g, '')}.asar`)
  if (file.endsWith('.asar')) return resolve(file)
  throw new PibakeError('USAGE', `\`${file}\` does not end in \`.asar\`.`, {
    hint: `Name the bundle so that it says what it is: \`${file}.asar\`.`,
  })
}

export const exportCommand = defineCommand({
  options: {
    packages: {
      type: 'boolean',
      default: false,
      describe: 'Carry all that its locks name too: packages, tools, artifacts, the base image',
    },
  },
  positionals: {
    profile: { type: 'string', demandOption: true, describe: 'The profile, by name' },
    file: { type: 'string', describe: 'Where to write it; images/PROFILE.asar if not said' },
  },
  examples: [
    ['$0 export pub', 'Profile, stages, overlays and locks in images/pub.asar'],
    ['$0 export pub /media/stick/pub.asar', 'The same, on a stick'],
    ['$0 export pub --packages', 'With all packages: enough to bake it where there is no network'],
  ],
  async run({ profile, file, packages }, { project, emit, signal }) {
    const destination = bundleDestination(project, profile, file)
    const bundle = await exportBundle({
      project,
      profile,
      packages,
      pibake: await readVersion(project),
      destination,
      emit,
      signal,
    })
    const { path, files, items, sizeBytes, sha256 } = bundle
    return {
      data: bundle,
      lines: () => [
        `Wrote \`${path}\`: ${files} files${packages ? ` and ${items} items of the cache` : ''}, ${formatBytes(sizeBytes)}.`,
        `SHA-256 ${sha256}`,
      ],
    }
  },
})
