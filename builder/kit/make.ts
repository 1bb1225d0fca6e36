import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { derive } from '../cache/derived.ts'
import { hashBytes, hashFile, hashJson } from '../core/digest.ts'
import { type Emit, runStep } from '../core/event.ts'
import { type Project, readVersion } from '../core/project.ts'
import type { SigningKey } from '../deb/signing-key.ts'
import { toolsSuite } from '../host/tools-packages.ts'
import { openTree } from '../lock/trees.ts'
import { buildAptSource } from './apt-source.ts'
import { findContent, type KitContent } from './content.ts'
import { renderDocuments } from './documents.ts'
import { findImages } from './images.ts'
import { byPath, formatManifest, kitPaths, renderSums } from './manifest.ts'
import { renderReadme } from './readme.ts'
import type { SourceFile } from './source-file.ts'
import { packDependencies, packNode, packSources } from './source-parts.ts'
import type { KitPlan } from './write.ts'

/** A kit that is ready to be written, to any number of sticks. */
export interface MadeKit extends KitPlan {
  /** Names of the profiles that it bakes, such as `pub` and `pub-vm-amd64`. */
  profiles: string[]
  /** Profiles that are locked, but lack files in the cache. */
  leftOut: string[]
  /** Profiles of which there is no image yet. */
  withoutImage: string[]
}

export interface MakeOptions {
  project: Project
  /** Names of profiles; all that are locked and whose files are in the cache when there are none. */
  profiles: readonly string[]
  /** Whether to carry the images that were baked. */
  images: boolean
  key: SigningKey
  /** Takes the texts of the kit, until it has been written. */
  scratch: string
  emit: Emit
  signal: AbortSignal
}

/** What `sign` makes of a text, made once for each key and text: signatures differ each time, sticks should not. */
const signOnce = async (
  text: string,
  options: { project: Project; key: SigningKey; timeSeconds: number; form: 'inline' | 'detached'; signal: AbortSignal },
): Promise<string> => {
  const { project, key, timeSeconds, form, signal } = options
  const name = hashJson(['signature of a kit 1', form, key.fingerprint, hashBytes(text)])
  const signed = await derive(project.cache, { key: name, label: 'a signature', signal }, async (path) =>
    writeFile(path, (await key.sign(text, timeSeconds))[form]),
  )
  return readFile(signed.path, 'utf8')
}

const newestTime = ({ locked, tools }: KitContent): string =>
  [...locked.map(({ lock }) => lock.time), ...tools.map(({ time }) => time)].sort().at(-1) ?? ''

/** The launcher as it lies in the sources. */
const launcherFile = (project: Project): string => join(project.root, 'builder/kit/launcher.sh')

/**
 * Put together everything that a kit for these profiles consists of, and sign it; packages of stages and archives are
 * made once and kept in the cache. Throws as `findContent` does, and `MISSING_OFFLINE` where Node or the npm dependencies
 * are not those that pibake pins.
 */
export const makeKit = async (options: MakeOptions): Promise<MadeKit> => {
  const { project, profiles: names, key, scratch, emit, signal } = options
  const content = await findContent(project, names)
  const { locked, files, leftOut } = content
  const profiles = locked.map(({ profile }) => profile.output)
  const tools = await openTree({ project, suite: toolsSuite, emit, signal })
  const parts = await runStep(emit, { id: 'kit:pibake', title: 'Pack pibake, Node and the npm dependencies' }, () =>
    Promise.all([packNode, packDependencies, packSources].map((pack) => pack(project, signal))),
  )
  const apt = await runStep(emit, { id: 'kit:apt', title: 'Build packages of the stages, and list all for apt' }, () =>
    buildAptSource(content, { project, tools, emit, signal }),
  )
  const images = options.images
    ? await runStep(emit, { id: 'kit:images', title: 'Read the images' }, () => findImages(project, profiles, signal))
    : { files: [], texts: [], without: [] }
  const documents = await renderDocuments(project)
  let texts = 0
  const asFile = async (path: string, bytes: string | Buffer): Promise<SourceFile> => {
    texts += 1
    const source = join(scratch, `text-${texts}`)
    await mkdir(dirname(source), { recursive: true })
    await writeFile(source, bytes)
    return { path, source, sizeBytes: Buffer.byteLength(bytes), sha256: hashBytes(bytes), label: path }
  }
  const launcher = launcherFile(project)
  const all: SourceFile[] = [
    ...files,
    ...parts,
    ...apt.packages,
    ...images.files,
    ...documents.files,
    {
      path: 'pibake',
      source: launcher,
      sizeBytes: (await stat(launcher)).size,
      sha256: await hashFile(launcher),
      label: 'the launcher',
    },
    await asFile(kitPaths.key, key.publicKey),
    await asFile('README.txt', renderReadme({ profiles, fingerprint: key.fingerprint })),
    ...(await Promise.all(
      [...apt.indexes, ...documents.pages, ...images.texts].map(({ path, bytes }) => asFile(path, bytes)),
    )),
  ]
  const time = newestTime(content)
  const signing = { project, key, timeSeconds: Math.floor(Date.parse(time) / 1000), signal }
  for (const { path, text } of apt.releases) {
    all.push(await asFile(path, await signOnce(text, { ...signing, form: 'inline' })))
  }
  all.sort(byPath)
  const manifest = formatManifest({
    pibake: await readVersion(project),
    time,
    machines: [process.arch === 'arm64' ? 'arm64' : 'x64'],
    profiles,
    files: all,
  })
  const sums = renderSums(manifest, all)
  return {
    files: all,
    texts: new Map([
      [kitPaths.manifest, manifest],
      [kitPaths.sums, sums],
      [kitPaths.signature, await signOnce(sums, { ...signing, form: 'detached' })],
    ]),
    profiles,
    leftOut,
    withoutImage: images.without,
  }
}
