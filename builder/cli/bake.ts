import { relative } from 'node:path'
import type { Sha256 } from '../core/digest.ts'
import { formatBytes } from '../core/size.ts'
import { compressions } from '../publish/compress.ts'
import { findPublished, type Published, publishImage } from '../publish/publish.ts'
import { baseOption, chosenProfile, fetchOptions, openTools, profileOption, requireRoot } from './chosen.ts'
import { defineCommand, type Result } from './command.ts'
import type { Context } from './context.ts'
import { planFromCache } from './planned.ts'

/** A path as the user would type it here. */
const shorten = (path: string): string => {
  const below = relative(process.cwd(), path)
  return below.startsWith('..') ? path : below
}

const report = (
  { project }: Context,
  { image, sha256, ran }: { image: string; sha256: Sha256; ran: number },
  published: readonly Published[],
): Result => {
  const shown = shorten(image)
  const besides = published.map(({ path, ...file }) => ({ path: relative(project.root, path), ...file }))
  return {
    data: { image: relative(project.root, image), sha256, ran, besides },
    lines: (paint) => [
      `${paint('green', ran === 0 ? 'Nothing has changed:' : 'Baked:')} ${paint('bold', shown)}`,
      `sha256 ${sha256}`,
      ...published.map(({ path, sizeBytes }) => `${paint('bold', shorten(path))} ${formatBytes(sizeBytes)}`),
      paint('dim', `Next: pibake test ${shown}`),
    ],
  }
}

export const bake = defineCommand({
  options: {
    ...profileOption,
    ...baseOption,
    ...fetchOptions,
    twins: {
      type: 'boolean',
      default: true,
      describe: 'Native twins; `--no-twins` runs everything under emulation, for the same image',
    },
    compress: {
      choices: compressions,
      array: true,
      default: [],
      describe: 'Write the image in this form besides, from all processors; may be given several times',
    },
  },
  positionals: {},
  examples: [
    ['sudo $0 --profile pub', 'Fetch what is missing, then bake images/pub.img'],
    ['sudo $0 --profile pub --offline', 'Bake from the cache alone'],
    ['sudo $0 --profile pub --compress xz', 'Write images/pub.img.xz besides, to hand out'],
    ['sudo $0 --profile ./mine.yaml', 'Bake a profile of your own'],
    ['sudo $0 --profile pub --target vm-amd64', 'The same node for a rented machine: images/pub-vm-amd64.img, .qcow2'],
    [
      'sudo $0 --profile mirror --base raspios-lite-arm64',
      'Upon Raspberry Pi OS: images/mirror-on-raspios-lite-arm64.img',
    ],
  ],
  async run({ profile: named, target, base, mirror, frozen, twins, compress }, context) {
    const { project, emit, signal, options } = context
    const name = chosenProfile(named)
    if (context.isOffline) {
      const { bakeProfile } = await import('../bake/run.ts')
      const baked = await bakeProfile({ project, profile: name, target, base, twins, emit, signal })
      const { profile, lock } = baked
      const image = { path: baked.image, sha256: baked.sha256 }
      const request = { project, profile, lock, image, compress, openTools: () => openTools(context), emit, signal }
      return report(context, baked, await publishImage(request))
    }
    const plan = await planFromCache(context, { name, target, base })
    if (plan?.image) {
      const { profile, lock, image } = plan
      const published = await findPublished({ project, profile, lock, image, compress })
      if (published) return report(context, { image: image.path, sha256: image.sha256, ran: 0 }, published)
      return context.continueOffline()
    }
    requireRoot('A bake')
    if (plan === undefined && !options.offline) {
      const { fetchAll } = await import('../fetch/fetch.ts')
      await fetchAll({
        project,
        profile: name,
        target,
        base,
        frozen,
        emit,
        signal,
        ...(mirror === undefined ? {} : { mirror }),
      })
    }
    return context.continueOffline()
  },
})
