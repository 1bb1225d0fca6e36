import { isAbsolute, join, normalize } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { type Project, projectAt } from '../core/project.ts'
import { readAllLocks } from '../lock/all.ts'
import { lockPath, readLock, readToolsLock } from '../lock/file.ts'
import { loadProfileChain } from '../profile/profile.ts'
import { resolveProfile } from '../profile/resolve.ts'
import type { Stage } from '../profile/schema.ts'
import { refuseBundle, showText } from './bundle.ts'
import { partOf } from './bundle-path.ts'
import { itemsOf } from './cache-items.ts'
import type { Manifest } from './profile-bundle.ts'

/** Locks of tools trees, as `toolsLockPath` names them. */
const toolsLock = /^tools-([a-z]+)-([a-z0-9]+)$/

const checkArtifacts = (file: string, stages: readonly Stage[]): void => {
  for (const stage of stages) {
    for (const artifact of stage.artifacts) {
      const inside = normalize(artifact.file ?? '.')
      if (!isAbsolute(inside) && inside.split('/')[0] !== '..') continue
      throw refuseBundle(file, `has a stage, \`${stage.name}\`, that takes a file from outside its folder`, {
        details: [artifact.file ?? ''],
      })
    }
  }
}

const checkLocks = async (file: string, staged: Project, manifest: Manifest, locks: readonly string[]) => {
  const { profile } = manifest
  const lock = await readLock(lockPath(staged.locks, profile))
  if (lock === undefined) throw refuseBundle(file, `has no lock of its profile, \`${profile}\``)
  if (lock.profile !== profile) throw refuseBundle(file, `has a lock of another profile, \`${showText(lock.profile)}\``)
  for (const name of locks.filter((other) => other !== profile)) {
    const [, suite, architecture] = toolsLock.exec(name) ?? []
    if (suite === undefined) throw refuseBundle(file, `carries a lock that \`${profile}\` does not use, \`${name}\``)
    const tools = await readToolsLock(lockPath(staged.locks, name))
    if (tools?.suite === suite && tools.architecture === architecture) continue
    throw refuseBundle(file, `has a lock of tools, \`${name}\`, that is for another system than its name says`)
  }
}

const check = async (file: string, staged: Project, manifest: Manifest): Promise<void> => {
  const { stages } = await resolveProfile(staged, manifest.profile)
  const chain = (await loadProfileChain(staged, manifest.profile)).map(({ source }) => source.file)
  const paths = manifest.files.map(({ path }) => path)
  const outside = chain.find((path) => !paths.includes(path))
  if (outside !== undefined) throw refuseBundle(file, 'extends a profile that is not in it', { details: [outside] })
  const needed = new Set(stages.map(({ stage }) => stage.name))
  const locks: string[] = []
  for (const path of paths) {
    const part = partOf(path)
    if (part?.kind === 'lock') locks.push(part.name)
    const isNeeded =
      part?.kind === 'profile' ? chain.includes(path) : part?.kind === 'lock' || needed.has(part?.name ?? '')
    if (!isNeeded) throw refuseBundle(file, `carries \`${path}\`, which its profile does not use`)
  }
  checkArtifacts(
    file,
    stages.map(({ stage }) => stage),
  )
  await checkLocks(file, staged, manifest, locks)
  const named = new Set(itemsOf(await readAllLocks(staged)).map(({ sha256 }) => sha256))
  const stray = manifest.cache?.find(({ sha256 }) => !named.has(sha256))
  if (stray) throw refuseBundle(file, `carries a package that its locks do not name, \`${showText(stray.label)}\``)
}

/**
 * Check that what was taken out of a bundle, below `root`, is one whole profile and no more: everything it names is
 * there and valid, its lock is its own, and nothing lies beside it. Throws `BUNDLE_INVALID`.
 */
export const checkStaged = async (file: string, root: string, manifest: Manifest): Promise<void> => {
  try {
    await check(file, projectAt(root), manifest)
  } catch (cause) {
    if (!(cause instanceof PibakeError) || cause.code === 'BUNDLE_INVALID') throw cause
    const details = [cause.message, ...cause.details].map((line) => line.replaceAll(join(root, '/'), ''))
    throw refuseBundle(file, 'holds a profile that pibake cannot use', { details, cause })
  }
}
