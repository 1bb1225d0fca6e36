/** An index that a `Release` file vouches for, by its path below the folder of the suite. */
export interface IndexSum {
  path: string
  sha256: string
  sizeBytes: number
}

/** The text of a `Release` file (DebianRepository/Format in Debian's wiki). */
export const renderRelease = (release: {
  suite: string
  codename: string
  timeSeconds: number
  /** Whether each index also lies under its digest. */
  byHash: boolean
  architectures: readonly string[]
  components: readonly string[]
  indexes: readonly IndexSum[]
}): string => {
  const { suite, codename, timeSeconds, byHash, architectures, components, indexes } = release
  const lines = [
    'Origin: pibake',
    'Label: pibake',
    `Suite: ${suite}`,
    `Codename: ${codename}`,
    `Date: ${new Date(timeSeconds * 1000).toUTCString().replace('GMT', 'UTC')}`,
    ...(byHash ? ['Acquire-By-Hash: yes'] : []),
    `Architectures: ${architectures.join(' ')}`,
    `Components: ${components.join(' ')}`,
    'SHA256:',
    ...indexes.map(({ path, sha256, sizeBytes }) => ` ${sha256} ${sizeBytes} ${path}`),
  ]
  return `${lines.join('\n')}\n`
}
