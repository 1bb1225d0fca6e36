import { cp, link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { text } from 'node:stream/consumers'
import { openBlobs } from '../../builder/cache/blobs.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { type Project, projectAt } from '../../builder/core/project.ts'
import { parseStanzas } from '../../builder/deb/deb822.ts'
import { runCommand, type Subprocess, spawnCommand } from '../../builder/host/command.ts'
import { lockPath, readLock, writeLock } from '../../builder/lock/file.ts'
import { profileRequest } from '../../builder/lock/profile-request.ts'
import { requestDigest } from '../../builder/lock/request.ts'
import type { LockedBase } from '../../builder/lock/schema.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import { defaultTarget, outputName, type TargetName } from '../../builder/profile/target.ts'
import { checkout as original } from './tools.ts'

/** What a run of `./pibake` left behind. */
export interface Run {
  /** 128 + n when signal n ended it. */
  exitCode: number
  stdout: string
  stderr: string
  durationMs: number
}

/** A run of `./pibake --json`: its events, its result, or why it failed. */
export interface JsonRun extends Run {
  events: PibakeEvent[]
  data: Readonly<Record<string, unknown>>
  failure: { code: string; message: string; hint: string; details: string[] } | undefined
  /** The steps of the plan that ran, in order, whether or not they came to their end. */
  started: string[]
}

/** A run of `./pibake --json` that goes on. */
export interface Started {
  pid: number
  /** Resolves when the step has started; rejects when the run ends before. */
  stepStarted(id: string): Promise<void>
  ended: Promise<JsonRun>
}

export interface RunOptions {
  /** Words before the launcher, such as `unshare --net`. */
  wrap?: readonly string[]
}

/** A checkout of its own, with the packages of this one. */
export interface Checkout {
  project: Project
  run(args: readonly string[], options?: RunOptions): Promise<Run>
  runJson(args: readonly string[], options?: RunOptions): Promise<JsonRun>
  start(args: readonly string[], options?: RunOptions): Started
  /**
   * Write a profile, and its lock as the part of pub's for the target that it needs; all its packages must be in that.
   * `base` has the dpkg status of the image that the profile starts from, and what the lock says of it.
   */
  addProfile(
    name: string,
    lines: readonly string[],
    options?: { base?: { status: string; locked: LockedBase }; target?: TargetName },
  ): Promise<void>
  remove(): Promise<void>
}

const environment = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || name.startsWith('PIBAKE_') || name === 'NODE_OPTIONS' ? [] : [[name, value]],
    ),
  )

const signalNumbers: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }

type Json = Record<string, unknown>

const parseLine = (line: string): Json[] => {
  try {
    return [JSON.parse(line) as Json]
  } catch {
    return []
  }
}

const finish = async (subprocess: Subprocess, startedMs: number): Promise<Run> => {
  subprocess.stdin.end()
  const [stdout, stderr, result] = await Promise.all([text(subprocess.stdout), text(subprocess.stderr), subprocess])
  const exitCode = result.exitCode ?? 128 + (signalNumbers[result.signal ?? ''] ?? 0)
  return { exitCode, stdout, stderr, durationMs: performance.now() - startedMs }
}

const readJson = (run: Run): JsonRun => {
  const records = run.stderr.split('\n').flatMap(parseLine)
  const events = records.filter(({ type }) => type !== 'failure') as unknown as PibakeEvent[]
  return {
    ...run,
    events,
    data: parseLine(run.stdout)[0] ?? {},
    failure: records.find(({ type }) => type === 'failure') as JsonRun['failure'],
    started: events.flatMap((event) =>
      event.type === 'step-start' && !event.id.startsWith('publish:') ? [event.id] : [],
    ),
  }
}

/** The folder that all checkouts of tests are below: on the file system of this checkout's cache. */
const parent = join(original, 'test', '.tmp')

/** Give a file of the cache another inode, so that a change to it stays in this checkout. */
export const detach = async (path: string): Promise<void> => {
  const content = await readFile(path)
  await rm(path)
  await writeFile(path, content)
}

const linkBlobs = async (from: string, to: string): Promise<void> => {
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    const target = join(to, relative(from, join(entry.parentPath, entry.name)))
    if (entry.isDirectory()) await mkdir(target, { recursive: true })
    else await link(join(entry.parentPath, entry.name), target)
  }
}

/** Fetch what the lock of pub for a target names, once, unless it is there. */
export const ensureFetched = async (target: TargetName): Promise<void> => {
  const { cache, locks } = projectAt(original)
  const lock = await readLock(lockPath(locks, outputName('pub', target)))
  const blobs = openBlobs(cache)
  const items = lock
    ? [...lock.steps.flatMap(({ debs }) => debs), ...lock.extras, ...Object.values(lock.npm).flat()]
    : []
  const present = await Promise.all(items.map(({ sha256, sizeBytes }) => blobs.hasBlob(sha256, sizeBytes)))
  if (lock && !present.includes(false)) return
  await runCommand([join(original, 'pibake'), 'fetch', '--profile', 'pub', '--target', target], { env: environment() })
}

const isLeftOut = (path: string): boolean => /\/stages\/[^/]+\/npm\/node_modules(?:\/|$)/.test(path)

/**
 * Make a checkout with the sources and locks of this one and its packages linked; what was baked and derived from them is
 * linked as well if `isWarm`. Call `remove` at the end.
 */
export const makeCheckout = async ({ isWarm = false, target = defaultTarget } = {}): Promise<Checkout> => {
  await ensureFetched(target)
  await mkdir(parent, { recursive: true })
  const project = projectAt(await mkdtemp(join(parent, 'checkout-')))
  const { root } = project
  const from = projectAt(original)
  for (const name of ['builder', 'stages', 'overlays', 'pibake', 'package.json', 'package-lock.json', '.npmrc']) {
    await cp(join(original, name), join(root, name), {
      recursive: true,
      // Stages share files by relative links, which are to lead to the copies.
      verbatimSymlinks: true,
      filter: (path) => !isLeftOut(path),
    })
  }
  await cp(from.locks, project.locks, { recursive: true })
  await linkBlobs(join(from.cache, 'blobs'), join(project.cache, 'blobs'))
  await cp(join(from.cache, 'integrity'), join(project.cache, 'integrity'), { recursive: true })
  for (const name of isWarm ? ['layers', 'derived'] : []) {
    await runCommand(['cp', '--archive', '--link', join(from.cache, name), project.cache], { env: environment() })
  }
  await symlink(join(original, 'node_modules'), join(root, 'node_modules'))
  await mkdir(project.state)
  for (const name of await readdir(from.state)) {
    if (name === 'node' || /^tools-[a-z]+-[a-z0-9]+$/.test(name)) {
      await symlink(join(from.state, name), join(project.state, name))
    }
  }

  const spawn = (args: readonly string[], { wrap = [] }: RunOptions): Subprocess =>
    spawnCommand([...wrap, join(root, 'pibake'), ...args], { cwd: root, env: environment() })

  const start: Checkout['start'] = (args, options = {}) => {
    const subprocess = spawn([...args, '--json'], options)
    const ids = new Set<string>()
    const waiting = new Map<string, () => void>()
    subprocess.stderr.on('data', (chunk: Buffer) => {
      for (const [, id] of chunk.toString().matchAll(/"type":"step-start","id":"([^"]+)"/g)) {
        if (id === undefined) continue
        ids.add(id)
        waiting.get(id)?.()
      }
    })
    const ended = finish(subprocess, performance.now()).then(readJson)
    return {
      pid: subprocess.pid ?? 0,
      ended,
      stepStarted: (id) =>
        new Promise((resolve, reject) => {
          if (ids.has(id)) resolve()
          waiting.set(id, resolve)
          void ended.then(({ stderr }) => reject(new Error(`step ${id} never started:\n${stderr}`)))
        }),
    }
  }

  return {
    project,
    start,
    run: (args, options = {}) => finish(spawn(args, options), performance.now()),
    runJson: async (args, options = {}) =>
      readJson(await finish(spawn([...args, '--json'], options), performance.now())),
    addProfile: async (name, lines, { base, target = defaultTarget } = {}) => {
      const yaml = [`name: ${name}`, `summary: The profile ${name}`, ...lines, '']
      await writeFile(join(project.profiles, `${name}.yaml`), yaml.join('\n'))
      const profile = await resolveProfile(project, name, { target })
      const pub = await readLock(lockPath(project.locks, outputName('pub', target)))
      if (!pub) throw new Error('pub is not locked')
      const request = profileRequest(profile, base)
      const onBase = new Set(
        [...parseStanzas(base?.status ?? '')].map(({ Package, Version }) => `${Package} ${Version}`),
      )
      const named = request.steps.map((step) => step.name)
      await writeLock(lockPath(project.locks, profile.output), {
        ...pub,
        profile: name,
        request: requestDigest(request),
        ...(base ? { base: base.locked } : {}),
        steps: pub.steps
          .filter((step) => named.includes(step.name))
          .map((step) => ({ ...step, debs: step.debs.filter((deb) => !onBase.has(`${deb.name} ${deb.version}`)) })),
        extras: [],
        npm: Object.fromEntries(Object.entries(pub.npm).filter(([stage]) => named.includes(stage))),
        artifacts: {},
      })
    },
    remove: async () => {
      const mounts = await readFile('/proc/self/mountinfo', 'utf8')
      if (mounts.includes(root)) throw new Error(`something is still mounted below ${root}`)
      await rm(root, { recursive: true, force: true })
    },
  }
}
