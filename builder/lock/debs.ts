import type { Lock, LockedDeb } from './schema.ts'

/** A package as a lock names it, in the lock's order of fields and without what else is known of it. */
export const toLockedDeb = (deb: LockedDeb): LockedDeb => {
  const { name, version, architecture, path, archive, suite, sizeBytes, sha256 } = deb
  return { name, version, architecture, path, archive, ...(suite === undefined ? {} : { suite }), sizeBytes, sha256 }
}

/** The Debian packages of one step of a lock; none for a step that brings none. */
export const stepDebs = ({ steps }: Pick<Lock, 'steps'>, step: string): readonly LockedDeb[] =>
  steps.find(({ name }) => name === step)?.debs ?? []

/** Every Debian package of a lock: those of its steps, then those that only the mirror on the image carries. */
export const allDebs = ({ steps, extras }: Pick<Lock, 'steps' | 'extras'>): LockedDeb[] => [
  ...steps.flatMap(({ debs }) => debs),
  ...extras,
]
