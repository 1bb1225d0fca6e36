import { closeSync, openSync, readSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as breathe } from 'node:timers/promises'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Architecture } from '../host/architecture.ts'
import { rulesOf } from './rules.ts'
import { walkTree } from './walk.ts'

export interface Finding {
  /** Stable name of the rule, such as `ssh-host-key`. */
  rule: string
  /** Inside the root: `/etc/shadow`. */
  path: string
  message: string
}

export interface LintReport {
  findings: Finding[]
  /** Programs that run as their owner or group; for the report, not a failure. */
  setuid: string[]
}

/** What of a file the rules look at: an ELF header, or a key with what surrounds it. */
const headBytes = 16 << 10

const readHead = (path: string, buffer: Buffer): Buffer => {
  const file = openSync(path, 'r')
  try {
    return buffer.subarray(0, readSync(file, buffer, 0, buffer.length, 0))
  } finally {
    closeSync(file)
  }
}

const readLines = async (path: string): Promise<string[]> => {
  try {
    return (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}

/** A password field that lets nobody in by password: `*`, `!`, `!*`, `!!`; see shadow(5). */
const isLocked = (field: string): boolean => /^[!*]+$/.test(field)

/** Accounts that a password opens, or whose locked hash everyone with the image could try to guess. */
const lintAccounts = async (root: string): Promise<Finding[]> => {
  const findings: Finding[] = []
  for (const path of ['/etc/shadow', '/etc/shadow-', '/etc/passwd', '/etc/passwd-']) {
    for (const line of await readLines(join(root, path))) {
      const [account = '', password = ''] = line.split(':')
      if (isLocked(password) || (password === 'x' && path.startsWith('/etc/passwd'))) continue
      const what = password === '' ? 'no password at all' : 'a password'
      findings.push({ rule: 'default-password', path, message: `account \`${account}\` has ${what}; lock it` })
    }
  }
  return findings
}

/**
 * Look through a finished root for what must not be on an image: baked-in secrets, leftovers of the bake, files for another
 * processor, passwords, files that everyone may write. One pass; `skip` leaves out what is not assembled either.
 */
export const lintRoot = async (
  root: string,
  options: { architecture: Architecture; skip?: (path: string) => boolean; signal?: AbortSignal },
): Promise<LintReport> => {
  const findings: Finding[] = []
  const setuid: string[] = []
  const buffer = Buffer.alloc(headBytes)
  const rules = rulesOf(options.architecture)
  let seen = 0
  for (const entry of walkTree(root, options.skip)) {
    seen += 1
    if (seen % 512 === 0) {
      await breathe()
      options.signal?.throwIfAborted()
    }
    const { path, stats } = entry
    if (stats.isFile() && (stats.mode & 0o6000) !== 0) setuid.push(path)
    const head = stats.isFile() && stats.size > 0 ? readHead(join(root, path), buffer) : buffer.subarray(0, 0)
    const subject = { ...entry, head }
    for (const { rule, message, matches } of rules) if (matches(subject)) findings.push({ rule, path, message })
  }
  return { findings: [...findings, ...(await lintAccounts(root))], setuid }
}

/** Throw LINT_FAILED naming every finding; nothing when there is none. */
export const assertClean = (findings: readonly Finding[]): void => {
  if (findings.length === 0) return
  const count = findings.length === 1 ? 'one thing' : `${findings.length} things`
  throw new PibakeError('LINT_FAILED', `The finished root holds ${count} that must not be on an image.`, {
    hint: 'Find the stage whose files or maintainer scripts leave these behind and remove them there.',
    details: findings.map(({ rule, path, message }) => `${path}: ${message} [${rule}]`),
  })
}
