import { z } from 'zod'
import { readText } from './content.ts'
import { readNpmLicence } from './npm-licence.ts'
import type { Volume } from './volume.ts'

/** An npm package in the tree of a stage. */
export interface NpmPackage {
  name: string
  version: string
  /** The stage below whose folder in /opt/pibake it is. */
  stage: string
  /** By SPDX's names where it has them. */
  licences: string[]
}

const manifestPath = /^\/opt\/pibake\/([^/]+)\/(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/@]+\/package\.json$/

const manifest = z.looseObject({ name: z.string(), version: z.string() })

/** The npm packages in the trees of an image's stages, each version of each once a stage, by name. */
export const readNpm = (volume: Volume): NpmPackage[] => {
  const packages = new Map<string, NpmPackage>()
  for (const path of volume.entries.keys()) {
    const stage = manifestPath.exec(path)?.[1]
    if (stage === undefined) continue
    let parsed: ReturnType<typeof manifest.safeParse>
    try {
      parsed = manifest.safeParse(JSON.parse(readText(volume, path) ?? ''))
    } catch {
      // A package may carry a broken manifest among its tests.
      continue
    }
    if (!parsed.success) continue
    const { name, version } = parsed.data
    packages.set(`${stage} ${name} ${version}`, { name, version, stage, licences: readNpmLicence(parsed.data).names })
  }
  return [...packages.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item)
}
