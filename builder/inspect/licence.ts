import { parseStanzas } from '../deb/deb822.ts'

/** Texts that Debian keeps once for all packages, as old copyright files refer to them. */
const commonLicence = /\/usr\/share\/common-licenses\/([A-Za-z]+(?:-[0-9.]*[0-9])?)/g

/** Whether a copyright file follows the machine-readable format 1.0 ("DEP-5"). */
const isMachineReadable = (text: string): boolean => /^Format(-Specification)?:/m.test(text.slice(0, 2000))

/** Short names of the licences of files in a machine-readable copyright file. */
const listed = (text: string): string[] => {
  const names: string[] = []
  for (const { Files, License } of parseStanzas(text, { fields: new Set(['Files', 'License']) })) {
    if (Files !== undefined && License) names.push(License.split('\n', 1)[0] ?? '')
  }
  return names
}

/**
 * The licences that a package's copyright file names, sorted, each once: those of its files where the file is machine
 * readable, otherwise the common licences it refers to. Empty where it says neither.
 */
export const licencesOf = (copyright: string): string[] => {
  let names: string[] = []
  try {
    if (isMachineReadable(copyright)) names = listed(copyright)
  } catch {
    // Many files only look as if they followed the format.
  }
  if (names.length === 0) names = [...copyright.matchAll(commonLicence)].map((match) => match[1] ?? '')
  return [...new Set(names.map((name) => name.trim()).filter((name) => name !== ''))].sort()
}
