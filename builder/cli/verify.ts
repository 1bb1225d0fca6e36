import { basename, relative } from 'node:path'
import { hashFile, type Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import { runStep } from '../core/event.ts'
import { makeScratch } from '../host/scratch.ts'
import { diffImages } from '../inspect/diff.ts'
import { splitOutputName } from '../profile/target.ts'
import { type FirstDifference, findFirstDifference } from '../publish/first-difference.ts'
import { rebuildImage } from '../publish/rebuild.ts'
import type { Paint } from '../report/style.ts'
import { chosenImage, requireRoot, targetOption } from './chosen.ts'
import { defineCommand } from './command.ts'
import { renderDiff } from './diff.ts'

const digestOf = (image: string, signal: AbortSignal): Promise<Sha256> =>
  hashFile(image, { signal }).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw new PibakeError('IMAGE_INVALID', `\`${image}\` cannot be read (${errnoOf(cause) ?? String(cause)}).`, {
      hint: 'Name an image that was baked from a profile of this checkout, such as `images/pub.img`.',
      cause,
    })
  })

/** Where images differ whose files are all the same: in free space, or in how the files lie. */
const describePlace = ({ offsetBytes, partition }: FirstDifference): string => {
  const place = partition === undefined ? 'outside the partitions' : `in partition ${partition}`
  return `Every file is the same. What is around them differs, from byte ${offsetBytes} on, ${place}.`
}

const differs = (image: string): PibakeError =>
  new PibakeError('IMAGE_DIFFERS', `\`${image}\` is not what its lock gives.`, {
    hint: 'It was changed after it was baked, or baked from other stages, another lock or another version of pibake.',
  })

export const verify = defineCommand({
  options: {
    profile: { type: 'string', describe: 'The profile that it was baked from, when that is not its name' },
    ...targetOption,
    cached: {
      type: 'boolean',
      default: false,
      describe: 'Take the sealed layers in the cache as they are, and only put the image together anew',
    },
    twins: { type: 'boolean', default: true, describe: 'Native twins; `--no-twins` rebuilds under emulation' },
    all: { type: 'boolean', default: false, describe: 'Name every file that differs' },
  },
  positionals: { image: { type: 'string', demandOption: true, describe: 'Path of an image; it is not changed' } },
  examples: [
    ['sudo $0 verify images/pub.img', 'Bake it anew from the lock, and compare down to the file'],
    ['sudo $0 verify images/pub.img --cached', 'The same in less time, from the layers in the cache'],
    ['sudo $0 verify /media/stick/a.img --profile pub', 'An image from somewhere else'],
  ],
  async run({ image: named, profile: chosen, target: chosenTarget, cached, twins, all }, { project, emit, signal }) {
    requireRoot('A rebuild')
    const image = chosenImage(named)
    const { profile, target } =
      chosen === undefined ? splitOutputName(basename(image, '.img')) : { profile: chosen, target: chosenTarget }
    const sha256 = await runStep(emit, { id: 'read', title: `Read ${basename(image)}` }, () => digestOf(image, signal))
    await using scratch = await makeScratch(project.work)
    const rebuilt = await rebuildImage({ project, profile, target, folder: scratch.path, cached, twins, emit, signal })
    const isSame = rebuilt.sha256 === sha256
    const data = { image: relative(project.root, image), profile, target, sha256, rebuilt: rebuilt.sha256, isSame }
    if (isSame) {
      const what = cached ? 'Its layers give it' : 'Its lock gives it'
      return { data, lines: (paint: Paint) => [`${paint('green', what)}, byte for byte: ${named}`, `sha256 ${sha256}`] }
    }
    const diff = await runStep(emit, { id: 'compare', title: 'Compare the images' }, () =>
      diffImages(rebuilt.path, image, {
        signal,
        onProgress: (done, total) => emit({ type: 'step-progress', id: 'compare', done, total, unit: 'bytes' }),
      }),
    )
    const first = await findFirstDifference(rebuilt.path, image, signal)
    const lines = (paint: Paint): readonly string[] =>
      diff.isSame && first
        ? [describePlace(first)]
        : renderDiff(diff, { names: ['rebuilt', basename(image)], paint, all })
    return { data: { ...data, diff, first }, lines, failure: differs(named) }
  },
})
