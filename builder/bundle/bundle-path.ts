/** Longest path in bytes; well below PATH_MAX, which is 4096 (limits.h), whatever the checkout's own path. */
const longestPath = 1024
/** NAME_MAX of Linux file systems. */
const longestName = 255

/** Folders beside the stages that are none. */
const notStages = ['profiles', 'schema']

const name = '[a-z][a-z0-9-]*'
const inStages = new RegExp(`^stages/(${name})/(.+)$`, 'u')
const inOverlays = new RegExp(`^overlays/(${name})/.+$`, 'u')
const profileFile = new RegExp(`^stages/profiles/(${name})\\.yaml$`, 'u')
const lockFile = new RegExp(`^packages-cache/locks/(${name})\\.lock\\.json$`, 'u')

/** What a path of a bundle belongs to. */
export interface Part {
  kind: 'stage' | 'overlay' | 'profile' | 'lock'
  name: string
}

/** The part of a checkout that a path belongs to; undefined when a bundle must not carry it. */
export const partOf = (path: string): Part | undefined => {
  const profile = profileFile.exec(path)?.[1]
  if (profile !== undefined) return { kind: 'profile', name: profile }
  const lock = lockFile.exec(path)?.[1]
  if (lock !== undefined) return { kind: 'lock', name: lock }
  const overlay = inOverlays.exec(path)?.[1]
  if (overlay !== undefined) return { kind: 'overlay', name: overlay }
  const [, stage, rest = ''] = inStages.exec(path) ?? []
  if (stage === undefined || notStages.includes(stage) || /^npm\/node_modules(\/|$)/.test(rest)) return undefined
  return { kind: 'stage', name: stage }
}

/**
 * What is wrong with a path in a bundle, to follow `a path that …`; undefined when it may stand there. Strict about form,
 * so that it means one place only, and about place: nothing but stages, overlays, profiles and locks.
 */
export const pathFault = (path: string): string | undefined => {
  if (path.startsWith('/')) return 'is absolute'
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(path)) return 'has a control character in it'
  if (path.includes('\\')) return 'has a backslash in it'
  const names = path.split('/')
  if (names.includes('..')) return 'has `..` in it'
  if (names.includes('.') || names.includes('')) return 'is not in its shortest form'
  if (Buffer.byteLength(path) > longestPath) return 'is too long'
  if (names.some((part) => Buffer.byteLength(part) > longestName)) return 'has too long a name in it'
  return partOf(path) ? undefined : 'is not in a stage, an overlay, the profiles or the locks'
}
