import { mkdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { formatBytes, formatDuration } from '../core/size.ts'
import { replaceFile } from '../host/replace.ts'
import { makeScratch } from '../host/scratch.ts'
import { planCopy } from '../kit/copy.ts'
import { renderImagerManifest } from '../kit/images.ts'
import { readFingerprint, showFingerprint } from '../kit/key.ts'
import { makeKit } from '../kit/make.ts'
import { openKit } from '../kit/open.ts'
import { kitFailure, type StickResult, writeKits } from '../kit/several.ts'
import { assertSignedBy, verifyKit } from '../kit/verify.ts'
import type { KitPlan } from '../kit/write.ts'
import type { Paint } from '../report/style.ts'
import { renderTable } from '../report/table.ts'
import { defineCommand, type Result } from './command.ts'
import type { Context } from './context.ts'
import { openKey } from './key.ts'
import { type ChosenTargets, chooseTargets, openTargets } from './kit-targets.ts'

/** Words that may stand before the folders; a folder of such a name is `./verify`. */
const actions = ['verify', 'copy', 'imager'] as const
type Action = (typeof actions)[number]

const chooseAction = (words: readonly string[]): { action: Action | undefined; folders: string[] } => {
  const action = actions.find((name) => name === words[0])
  const folders = (action === undefined ? words : words.slice(1)).map((word) => resolve(word))
  const twice = folders.find((folder, index) => folders.indexOf(folder) < index)
  if (twice === undefined) return { action, folders }
  throw new PibakeError('USAGE', `\`${twice}\` is named twice.`, { hint: 'Name each folder once.' })
}

/** The kit that is read: the one named, else the stick that pibake was started from. */
const chosenKit = ({ project }: Context, named: string | undefined): string => {
  const folder = named ?? project.stick
  if (folder !== undefined) return resolve(folder)
  throw new PibakeError('USAGE', 'No kit is named.', { hint: 'Name the folder of one, such as `/media/stick`.' })
}

const renderResults = (results: readonly StickResult[], paint: Paint): string[] =>
  renderTable(
    results.map((item) =>
      item.outcome === 'failed'
        ? [paint('red', 'failed'), paint('bold', item.name), 'not finished', '', '']
        : [
            paint('green', 'done'),
            paint('bold', item.name),
            `${item.result.copied.files} files copied (${formatBytes(item.result.copied.sizeBytes)})`,
            `${item.result.kept.files} were there`,
            formatDuration(item.durationMs),
          ],
    ),
  )

const resultData = (item: StickResult) =>
  item.outcome === 'done'
    ? { name: item.name, outcome: item.outcome, durationMs: item.durationMs, ...item.result }
    : {
        name: item.name,
        outcome: item.outcome,
        failure: item.failure instanceof Error ? item.failure.message : String(item.failure),
      }

const writeAll = async (
  chosen: ChosenTargets,
  plan: KitPlan,
  {
    recheck,
    fingerprint,
    more,
    scratch,
  }: { recheck: boolean; fingerprint: string; more: Record<string, unknown>; scratch: string },
  context: Context,
): Promise<Result> => {
  const { emit, signal } = context
  const targets = await openTargets(chosen, { scratch, context })
  const results = await writeKits(targets, plan, { recheck, emit, signal })
  const failure = kitFailure(results)
  const done = results.filter(({ outcome }) => outcome === 'done').map(({ name }) => name)
  const folder = chosen.folders.find((name) => done.includes(name)) ?? 'FOLDER'
  return {
    data: { ...more, fingerprint, sticks: results.map(resultData) },
    lines: (paint) => [
      ...renderResults(results, paint),
      '',
      `Signed by ${paint('bold', showFingerprint(fingerprint))}`,
      ...(done.length === 0
        ? []
        : [paint('dim', `Next: take it out and put it in again, then: pibake kit verify ${folder}`)]),
    ],
    ...(failure === undefined ? {} : { failure }),
  }
}

interface MakeArguments {
  profiles: readonly string[]
  images: boolean
  keyFile: string | undefined
  recheck: boolean
}

const make = async (
  paths: readonly string[],
  { profiles, images, keyFile, recheck }: MakeArguments,
  context: Context,
): Promise<Result> => {
  const { project, emit, signal } = context
  const chosen = await chooseTargets(paths, context)
  const key = await openKey(keyFile, emit)
  const say = (level: 'info' | 'warn', message: string): void => emit({ type: 'notice', level, message })
  await using scratch = await makeScratch(project.work)
  const kit = await makeKit({ project, profiles, images, key, scratch: scratch.path, emit, signal })
  if (kit.leftOut.length > 0) {
    say(
      'warn',
      `Left out, for files of theirs are not in the cache: ${kit.leftOut.join(', ')}. \`pibake fetch\` brings them.`,
    )
  }
  if (kit.withoutImage.length > 0) say('info', `There is no image yet of: ${kit.withoutImage.join(', ')}.`)
  const more = { profiles: kit.profiles, leftOut: kit.leftOut, withoutImage: kit.withoutImage }
  return await writeAll(chosen, kit, { recheck, fingerprint: key.fingerprint, more, scratch: scratch.path }, context)
}

const copy = async (
  paths: readonly string[],
  { from, expected, recheck }: { from: string; expected: string | undefined; recheck: boolean },
  context: Context,
): Promise<Result> => {
  if (paths.includes(from)) {
    throw new PibakeError('USAGE', `\`${from}\` cannot be copied onto itself.`, { hint: 'Name another stick.' })
  }
  const plan = await planCopy(from)
  if (expected !== undefined) assertSignedBy(plan.kit, await readFingerprint(expected))
  const { fingerprint, manifest } = plan.kit
  const chosen = await chooseTargets(paths, context)
  await using scratch = await makeScratch(context.project.work)
  const more = { from, profiles: manifest.profiles }
  return await writeAll(chosen, plan, { recheck, fingerprint, more, scratch: scratch.path }, context)
}

/** Only what a kit says of itself, and who has signed that. */
const verifyList = async (folder: string, expected: string | undefined): Promise<Result> => {
  const found = await openKit(folder)
  if (expected !== undefined) assertSignedBy(found, expected)
  const { fingerprint, manifest } = found
  return {
    data: { folder, fingerprint, files: manifest.files.length, profiles: manifest.profiles },
    lines: (paint) => [
      `Its list of ${manifest.files.length} files is signed by ${paint('bold', showFingerprint(fingerprint))}; the files were not read.`,
    ],
  }
}

const verify = async (folder: string, expected: string | undefined, { emit, signal }: Context): Promise<Result> => {
  const { kit, sizeBytes, strangers } = await verifyKit(folder, { expected, emit, signal })
  const { manifest, fingerprint } = kit
  if (strangers.length > 0) {
    const message = `Not part of the kit, and not looked at: ${strangers.slice(0, 5).join(', ')}${strangers.length > 5 ? ' …' : ''}`
    emit({ type: 'notice', level: 'warn', message })
  }
  const { profiles, pibake, time, machines, files } = manifest
  return {
    data: { folder, fingerprint, sizeBytes, files: files.length, profiles, pibake, time, machines, strangers },
    lines: (paint) => [
      `${paint('green', 'Whole:')} ${files.length} files (${formatBytes(sizeBytes)}), pibake ${pibake} for ${machines.join(' and ')}, packages as of ${time}.`,
      `Bakes ${profiles.join(', ')}.`,
      `Signed by ${paint('bold', showFingerprint(fingerprint))}${expected === undefined ? paint('dim', ' (compare it with what its makers say)') : ''}`,
    ],
  }
}

const imager = async (folder: string, { project }: Context): Promise<Result> => {
  const text = await renderImagerManifest(folder)
  if (text === undefined) {
    throw new PibakeError('UNKNOWN_NAME', `There is no image for Raspberry Pi Imager in \`${folder}\`.`, {
      hint: 'Bake with `--compress xz` before `pibake kit`: Imager reads that form.',
    })
  }
  await mkdir(project.images, { recursive: true })
  const path = join(project.images, 'stick.rpi-imager-manifest')
  await replaceFile(path, text)
  const shown = relative(process.cwd(), path)
  return {
    data: { path },
    lines: () => [
      `Wrote \`${shown.startsWith('..') ? path : shown}\`: open it with Raspberry Pi Imager while the stick is at \`${folder}\`.`,
    ],
  }
}

export const kit = defineCommand({
  options: {
    profile: {
      type: 'string',
      array: true,
      default: [],
      describe: 'Profiles that it is to bake; all that are locked and fetched if not said',
    },
    images: { type: 'boolean', default: true, describe: 'Carry the images too; `--no-images` leaves them out' },
    recheck: {
      type: 'boolean',
      default: false,
      describe: 'Read what is on the stick already, and mend what is damaged',
    },
    quick: { type: 'boolean', default: false, describe: 'With verify: only the list of its files and the signature' },
    from: {
      type: 'string',
      describe: 'With copy: the kit to copy; the stick that pibake was started from if not said',
    },
    key: {
      type: 'string',
      describe:
        'The private key that signs; made at ~/.config/pibake if not said. With verify and copy: who is to have signed, a fingerprint or the file of a public key',
    },
  },
  positionals: {
    where: {
      type: 'string',
      array: true,
      demandOption: true,
      describe:
        'Folders, such as /media/stick, or drives, such as /dev/sdb; before them `verify`, `copy` or `imager`, or nothing to make a kit',
    },
  },
  examples: [
    ['$0 kit /media/stick', 'Make a kit of all that is fetched, or bring one up to date'],
    ['$0 kit /media/a /media/b --profile pub mesh', 'Two sticks at once, with what two profiles need'],
    ['sudo $0 kit /dev/sdb', 'A whole stick: everything on it is lost, you are asked before'],
    ['$0 kit verify /media/stick', 'Read all of it, and say who signed it'],
    ['$0 kit copy /media/b /media/c --from /media/a', 'Copy a stick onto two others'],
    ['$0 kit imager /media/stick', 'Write the list that Raspberry Pi Imager opens, for where the stick is now'],
  ],
  async run({ where, profile, images, recheck, quick, from, key }, context) {
    const { action, folders } = chooseAction(where)
    const [folder] = folders
    if (action === 'imager') return imager(chosenKit(context, folder), context)
    if (action === 'verify') {
      const expected = key === undefined ? undefined : await readFingerprint(key)
      const chosen = chosenKit(context, folder)
      return quick ? verifyList(chosen, expected) : verify(chosen, expected, context)
    }
    if (folder === undefined) {
      throw new PibakeError('USAGE', 'No folder is named to write to.', { hint: 'Name one, such as `/media/stick`.' })
    }
    if (action === 'copy') return copy(folders, { from: chosenKit(context, from), expected: key, recheck }, context)
    return make(folders, { profiles: profile, images, keyFile: key, recheck }, context)
  },
})
