import { basename, join, resolve } from 'node:path'
import { imagePath } from '../bake/history.ts'
import { PibakeError } from '../core/error.ts'
import { exists } from '../core/file.ts'
import { findDevice, listRemovable } from '../flash/device.ts'
import { assertWritable } from '../flash/guard.ts'
import { type ImageSource, openSource } from '../flash/source.ts'
import { makeScratch } from '../host/scratch.ts'
import { imageOn } from '../kit/images.ts'
import { resolveProfile } from '../profile/resolve.ts'
import type { TargetName } from '../profile/target.ts'
import { openTools, requireRoot, targetOption } from './chosen.ts'
import { defineCommand, type Result } from './command.ts'
import type { Context } from './context.ts'
import { cardOptions, describeRoster, openCards, wantsCards } from './flash-cards.ts'
import { renderDevices } from './flash-report.ts'
import { flashNamed, flashPlugged, listDevices } from './flash-write.ts'
import { wholeImage } from './whole-image.ts'

const isAddress = (image: string): boolean => /^https?:\/\//.test(image)

/** The file that was named: a path, else what the profile of that name was baked into, here or on the stick of a kit. */
const chosenFile = async ({ project }: Context, image: string, target: TargetName): Promise<string> => {
  const path = resolve(image)
  if (/[./]/.test(image) || (await exists(path))) return path
  const { output } = await resolveProfile(project, image, { target })
  const baked = imagePath(project, output)
  if (await exists(baked)) return baked
  const carried = project.stick === undefined ? undefined : await imageOn(project.stick, output)
  if (carried !== undefined) return carried
  throw new PibakeError('UNKNOWN_NAME', `There is no image of the profile \`${image}\` yet.`, {
    hint: `Bake it first: \`sudo pibake --profile ${image} --target ${target}\``,
  })
}

/** A drive as people name it: `sdb` is `/dev/sdb`. */
const devicePath = (named: string): string => (named.includes('/') ? resolve(named) : join('/dev', named))

const list = async (source: ImageSource | undefined): Promise<Result> => {
  const listed = await listDevices(await listRemovable(), source ?? { path: '', sizeBytes: undefined })
  return {
    data: listed.map(({ device, contents, refusal }) => ({ ...device, contents, refusal })),
    lines: (paint) =>
      listed.length === 0
        ? ['There is no card or stick in this machine.']
        : [...renderDevices(listed, paint), '', paint('dim', 'Next: sudo pibake flash IMAGE --to DEVICE')],
  }
}

export const flash = defineCommand({
  options: {
    to: {
      type: 'string',
      array: true,
      default: [],
      describe: 'Drives to write: `sdb`, `/dev/disk/by-id/…`; several may follow',
    },
    watch: { type: 'boolean', default: false, describe: 'Write every card and stick that is plugged in, until Ctrl-C' },
    'at-once': { type: 'number', default: 8, describe: 'With --watch: how many at a time' },
    verify: { type: 'boolean', default: true, describe: 'Read back and compare; `--no-verify` trusts the card' },
    ...cardOptions,
    ...targetOption,
    fetched: { type: 'string', hidden: true },
  },
  positionals: {
    image: { type: 'string', describe: 'Image, plain or compressed: a path, an address, or the name of a profile' },
  },
  examples: [
    ['$0 flash', 'List the cards and sticks of this machine'],
    ['sudo $0 flash pub --to sdb', 'Write what the profile `pub` was baked into, and read it back'],
    ['sudo $0 flash pub.img.xz --to sdb sdc sdd --yes', 'Three cards at once, unpacked once; nobody is asked'],
    ['sudo $0 flash pub --watch', 'Write every card that is plugged in'],
    ['$0 flash mesh --roster cards.csv', 'Look whether the table of cards is right, and fits the image'],
    ['sudo $0 flash mesh --to sdb sdc --roster cards.csv --labels labels.html', 'The next two cards, and their labels'],
    ['sudo $0 flash mesh --watch --labels labels.html', 'Every card gets a name and a one-time password of its own'],
  ],
  async run({ image, to, watch, 'at-once': atOnce, verify, roster, labels, only, target, fetched }, context) {
    const { project, emit, signal, isOffline, continueOffline } = context
    const isWriting = watch || to.length > 0
    const options = { roster, labels, only }
    const hasCards = wantsCards(options)
    if (watch && to.length > 0) {
      throw new PibakeError('USAGE', '`--to` and `--watch` do not go together.', { hint: 'Leave one of them out.' })
    }
    if (!Number.isInteger(atOnce) || atOnce < 1) {
      throw new PibakeError('USAGE', '`--at-once` is no number of cards.', {
        hint: 'Say how many, such as `--at-once 4`.',
      })
    }
    if (isWriting) requireRoot('Writing a drive')
    if (isWriting && image === undefined) {
      throw new PibakeError('USAGE', 'No image is named.', {
        hint: 'Name one: `pibake flash images/pub.img --to sdb`.',
      })
    }
    if (labels !== undefined && roster === undefined && !isWriting) {
      throw new PibakeError('USAGE', '`--labels` is for cards that are written, and no drive is named.', {
        hint: 'Name one: `--to sdb`, or `--watch`.',
      })
    }
    if (!isOffline) {
      if (image === undefined || !isAddress(image) || !isWriting) return continueOffline()
      // A refused drive is said before anything is downloaded.
      assertWritable(await Promise.all(to.map((name) => findDevice(devicePath(name)))), {
        path: '',
        sizeBytes: undefined,
      })
      const { fetchImage } = await import('../fetch/remote-image.ts')
      await using scratch = await makeScratch(project.work)
      return await continueOffline([
        '--fetched',
        await fetchImage(image, { project, folder: scratch.path, emit, signal }),
      ])
    }
    if (image === undefined || (isAddress(image) && fetched === undefined)) {
      return roster === undefined ? list(undefined) : describeRoster(options, undefined)
    }
    const path = fetched ?? (await chosenFile(context, image, target))
    const tools = () => openTools(context)
    const label = isAddress(image) ? image : basename(path)
    if (!watch && !hasCards) {
      const source = await openSource(path, { label, tools })
      if (to.length === 0) return list(source)
      const devices = await Promise.all(to.map((name) => findDevice(devicePath(name))))
      return flashNamed(context, devices, { source, verify, cards: undefined, options })
    }
    if (!isWriting) {
      await using whole = await wholeImage(context, path)
      return await describeRoster(options, { path: whole.path, label })
    }
    const devices = await Promise.all(to.map((name) => findDevice(devicePath(name))))
    assertWritable(devices, { path, sizeBytes: undefined })
    // Cards come at different times, or differ: what is compressed is unpacked once for all of them.
    await using whole = await wholeImage(context, path)
    const source = await openSource(whole.path, { label, tools, named: path })
    assertWritable(devices, source)
    await using stack = new AsyncDisposableStack()
    const cards = hasCards ? stack.use(await openCards(context, options, source)) : undefined
    const chosen = { source, verify, cards, options }
    return await (watch ? flashPlugged(context, atOnce, chosen) : flashNamed(context, devices, chosen))
  },
})
