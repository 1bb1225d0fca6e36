import { basename, join, resolve } from 'node:path'
import { imagePath } from '../bake/history.ts'
import { PibakeError } from '../core/error.ts'
import { exists } from '../core/file.ts'
import { readContent } from '../flash/content.ts'
import { type Device, findDevice, listRemovable } from '../flash/device.ts'
import { flashFailure, flashImage } from '../flash/flash.ts'
import { assertWritable, refusalOf } from '../flash/guard.ts'
import { type ImageSource, openSource } from '../flash/source.ts'
import { watchDrives } from '../flash/watch.ts'
import { makeScratch } from '../host/scratch.ts'
import { resolveProfile } from '../profile/resolve.ts'
import type { TargetName } from '../profile/target.ts'
import { plainly } from '../report/style.ts'
import { openTools, requireRoot, targetOption } from './chosen.ts'
import { defineCommand, type Result } from './command.ts'
import { confirmByName } from './confirm.ts'
import type { Context } from './context.ts'
import { type ListedDevice, renderDevices, renderResults, resultData } from './flash-report.ts'
import { wholeImage } from './whole-image.ts'

const isAddress = (image: string): boolean => /^https?:\/\//.test(image)

/** The file that was named: a path, else what the profile of that name was baked into. */
const chosenFile = async ({ project }: Context, image: string, target: TargetName): Promise<string> => {
  const path = resolve(image)
  if (/[./]/.test(image) || (await exists(path))) return path
  const baked = imagePath(project, (await resolveProfile(project, image, { target })).output)
  if (await exists(baked)) return baked
  throw new PibakeError('UNKNOWN_NAME', `There is no image of the profile \`${image}\` yet.`, {
    hint: `Bake it first: \`sudo pibake --profile ${image} --target ${target}\``,
  })
}

/** A drive as people name it: `sdb` is `/dev/sdb`. */
const devicePath = (named: string): string => (named.includes('/') ? resolve(named) : join('/dev', named))

const listDevices = (
  devices: readonly Device[],
  image: Pick<ImageSource, 'path' | 'sizeBytes'>,
): Promise<ListedDevice[]> =>
  Promise.all(
    devices.map(async (device) => ({
      device,
      contents: await readContent(device.path),
      refusal: refusalOf(device, image)?.reason,
    })),
  )

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

interface Chosen {
  source: ImageSource
  verify: boolean
}

const flashNamed = async (
  context: Context,
  devices: readonly Device[],
  { source, verify }: Chosen,
): Promise<Result> => {
  assertWritable(devices, source)
  const { emit, signal, options } = context
  if (!options.yes) {
    const lines = [`${source.label} goes to:`, ...renderDevices(await listDevices(devices, source), plainly)]
    await confirmByName(
      lines,
      devices.map(({ name }) => name),
      context,
    )
  }
  const results = await flashImage(source, devices, { tools: () => openTools(context), verify, emit, signal })
  const failure = flashFailure(results)
  return {
    data: { image: source.label, cards: results.map(resultData) },
    lines: (paint) => renderResults(results, paint),
    ...(failure === undefined ? {} : { failure }),
  }
}

const flashPlugged = async (context: Context, atOnce: number, { source, verify }: Chosen): Promise<Result> => {
  const { emit, signal, options } = context
  if (!options.yes) {
    const line = `Every card and stick that is plugged in from now on is overwritten with ${source.label}.`
    await confirmByName([line], ['watch'], context)
  }
  emit({
    type: 'notice',
    level: 'info',
    message: 'Waiting for cards; those that are in now are left alone. Ctrl-C ends it.',
  })
  const results = await watchDrives({
    list: () => listRemovable(),
    flash: async (device) => {
      const [result] = await flashImage(source, [device], { tools: () => openTools(context), verify, emit, signal })
      if (!result) throw new Error('a drive without a result')
      return result
    },
    ...{ atOnce, emit, signal },
  })
  return {
    data: { image: source.label, cards: results.map(resultData) },
    lines: (paint) => renderResults(results, paint),
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
  ],
  async run({ image, to, watch, 'at-once': atOnce, verify, target, fetched }, context) {
    const { project, emit, signal, isOffline, continueOffline } = context
    const isWriting = watch || to.length > 0
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
    if (image === undefined || (isAddress(image) && fetched === undefined)) return list(undefined)
    const path = fetched ?? (await chosenFile(context, image, target))
    const tools = () => openTools(context)
    const label = isAddress(image) ? image : basename(path)
    if (!watch) {
      const source = await openSource(path, { label, tools })
      if (to.length === 0) return list(source)
      const devices = await Promise.all(to.map((name) => findDevice(devicePath(name))))
      return flashNamed(context, devices, { source, verify })
    }
    // Cards come at different times: what is compressed is unpacked once for all of them.
    await using whole = await wholeImage(context, path)
    const source = await openSource(whole.path, { label, tools, named: path })
    return await flashPlugged(context, atOnce, { source, verify })
  },
})
