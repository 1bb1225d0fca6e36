import { readFile } from 'node:fs/promises'

/** Where the kernel tells about its devices; tests have folders of their own. */
export interface KernelPaths {
  sys: string
  proc: string
  dev: string
}

export const kernelPaths: KernelPaths = { sys: '/sys', proc: '/proc', dev: '/dev' }

/** A file of the kernel's without the line's end; empty where it is not there. */
export const readWord = async (path: string): Promise<string> => (await readFile(path, 'utf8').catch(() => '')).trim()

/** `major:minor` out of what stat(2) returns (glibc's `gnu_dev_major`, `gnu_dev_minor`). */
export const deviceNumber = (rdev: number): string => {
  const wide = BigInt(rdev)
  const major = ((wide >> 8n) & 0xfffn) | ((wide >> 32n) & ~0xfffn)
  const minor = (wide & 0xffn) | ((wide >> 12n) & ~0xffn)
  return `${major}:${minor}`
}
