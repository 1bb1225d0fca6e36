import { relative } from 'node:path'
import type { Sha256 } from '../core/digest.ts'
import { chosenProfile, fetchOptions, profileOption, requireRoot } from './chosen.ts'
import { defineCommand, type Result } from './command.ts'
import type { Context } from './context.ts'
import { planFromCache } from './planned.ts'

const report = (
  { project }: Context,
  { image, sha256, ran }: { image: string; sha256: Sha256; ran: number },
): Result => {
  const path = relative(process.cwd(), image)
  const shown = path.startsWith('..') ? image : path
  return {
    data: { image: relative(project.root, image), sha256, ran },
    lines: (paint) => [
      `${paint('green', ran === 0 ? 'Nothing has changed:' : 'Baked:')} ${paint('bold', shown)}`,
      `sha256 ${sha256}`,
      paint('dim', `Next: pibake test ${shown}`),
    ],
  }
}

export const bake = defineCommand({
  options: {
    ...profileOption,
    ...fetchOptions,
    twins: {
      type: 'boolean',
      default: true,
      describe: 'Native twins; `--no-twins` runs everything under emulation, for the same image',
    },
  },
  positionals: {},
  examples: [
    ['sudo $0 --profile pub', 'Fetch what is missing, then bake images/pub.img'],
    ['sudo $0 --profile pub --offline', 'Bake from the cache alone'],
    ['sudo $0 --profile ./mine.yaml', 'Bake a profile of your own'],
  ],
  async run({ profile: named, mirror, frozen, twins }, context) {
    const { project, emit, signal, options } = context
    const profile = chosenProfile(named)
    if (context.isOffline) {
      const { bakeProfile } = await import('../bake/run.ts')
      return report(context, await bakeProfile({ project, profile, twins, emit, signal }))
    }
    const plan = await planFromCache(context, profile)
    if (plan?.image) return report(context, { image: plan.image.path, sha256: plan.image.sha256, ran: 0 })
    requireRoot('A bake')
    if (plan === undefined && !options.offline) {
      const { fetchAll } = await import('../fetch/fetch.ts')
      await fetchAll({ project, profile, frozen, emit, signal, ...(mirror === undefined ? {} : { mirror }) })
    }
    return context.continueOffline()
  },
})
