import type { Sha256 } from '../core/digest.ts'

/** A file that is to go onto a stick, and where it is now. */
export interface SourceFile {
  /** Below the folder of the stick. */
  path: string
  /** Absolute. */
  source: string
  sizeBytes: number
  sha256: Sha256
  /** What people know it as. */
  label: string
}
