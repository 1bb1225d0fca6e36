import { constants } from 'node:fs'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { layerRoot, sealLayer } from '../cache/layers.ts'
import { PibakeError } from '../core/error.ts'
import { type RepositoryDeb, writeFlatRepository } from '../deb/repository.ts'
import { architectures } from '../host/architecture.ts'
import type { KeyedStep } from '../plan/plan.ts'
import { buildDispatcher } from '../root/dispatcher.ts'
import { type TargetRoot, writeScaffold } from '../root/root.ts'
import { layTwins, type TargetPackages } from '../root/twins.ts'
import type { Kitchen } from './kitchen.ts'

/** Make the folder that is the lowest layer of every root, once a run. Returns its path. */
export const scaffoldLayer = async (kitchen: Kitchen): Promise<string> => {
  const folder = join(kitchen.scratch, 'scaffold')
  await mkdir(folder, { recursive: true })
  await writeScaffold(folder, kitchen.emulation !== undefined)
  return folder
}

/**
 * Lay out a root in an empty folder: a writable layer on those below (folders, from the bottom up), the packages that are
 * to be installed in it, and the native twins for just these.
 */
export const layRoot = async (
  kitchen: Kitchen,
  options: { folder: string; lower: readonly string[]; debs: readonly RepositoryDeb[]; packages: TargetPackages },
): Promise<{ root: TargetRoot; twins: number }> => {
  const { project, tools, native, profile, timeSeconds, signal } = kitchen
  const { folder, lower, debs, packages } = options
  const { architecture } = profile
  const layer = join(folder, 'layer')
  const inside = join(folder, 'inside')
  await mkdir(join(layer, 'upper'), { recursive: true, mode: 0o755 })
  await mkdir(join(inside, 'native'), { recursive: true })
  await writeFlatRepository(join(inside, 'repo'), debs)
  const dispatched = kitchen.emulation === 'private'
  if (dispatched) {
    const { emulator } = architectures[architecture]
    await copyFile(join(tools.root, 'usr/bin', emulator), join(inside, 'qemu'), constants.COPYFILE_FICLONE)
  }
  const twins =
    dispatched && native
      ? await layTwins({ native, architecture, target: packages, destination: join(inside, 'native') })
      : 0
  const dispatcher = dispatched ? await buildDispatcher(tools, project.state, signal) : undefined
  const root = { tools, native: native ?? tools, architecture, lower, layer, inside, dispatcher, timeSeconds }
  return { root, twins }
}

/**
 * Bake one layer: prepare a root on the layers below, let `work` change it, seal what it changed under the step's key.
 * Nothing is kept when `work` throws. Returns the sealed layer's folder.
 */
export const bakeLayer = async (
  kitchen: Kitchen,
  options: {
    step: KeyedStep
    /** Folders below, from the bottom up. */
    lower: readonly string[]
    debs: readonly RepositoryDeb[]
    packages: TargetPackages
  },
  work: (root: TargetRoot, onLine: (line: string) => void) => Promise<void>,
): Promise<string> => {
  const { project, tools, scratch, emit, signal } = kitchen
  const { step, ...content } = options
  const { root, twins } = await layRoot(kitchen, { ...content, folder: join(scratch, 'steps', step.id) })
  emit({ type: 'debug', message: 'native twins', fields: { step: step.id, count: twins } })
  const onLine = (line: string): void => emit({ type: 'output', id: step.id, line })
  await work(root, onLine).catch((error: unknown) => {
    throw stageFailure(step.id, error)
  })
  await sealLayer({ tools, cache: project.cache, folder: root.layer, key: step.key, step: step.id, signal })
  return layerRoot(project.cache, step.key)
}

/** What a failed command in the root means to someone who works on a stage; the command line is in the log. */
const stageFailure = (step: string, error: unknown): unknown =>
  error instanceof PibakeError && error.code === 'COMMAND_FAILED'
    ? new PibakeError('STAGE_FAILED', `Step \`${step}\` failed while its packages were installed.`, {
        hint: 'The lines above are the end of what was printed; mend the stage and run again: the steps below it are kept.',
        details: error.details,
        cause: error,
      })
    : error
