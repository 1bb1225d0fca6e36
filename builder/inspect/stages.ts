import { z } from 'zod'
import { readText } from './content.ts'
import type { Volume } from './volume.ts'

const folder = '/usr/share/pibake/stages/'

/** Of the file that a stage's package has below /usr/share/pibake/stages, what is told about an image. */
const declared = z.object({
  name: z.string(),
  version: z.string(),
  summary: z.string().default(''),
  checks: z.array(z.object({ title: z.string() })).default([]),
})

export interface DeclaredStage {
  name: string
  version: string
  summary: string
  /** Titles of its checks. */
  checks: string[]
}

/** The stages whose packages are on an image, by name; a file that is none of theirs is passed over. */
export const readStages = (volume: Volume): DeclaredStage[] => {
  const stages: DeclaredStage[] = []
  for (const path of volume.entries.keys()) {
    if (!path.startsWith(folder) || !path.endsWith('.json')) continue
    try {
      const stage = declared.parse(JSON.parse(readText(volume, path) ?? ''))
      stages.push({ ...stage, checks: stage.checks.map(({ title }) => title) })
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error
    }
  }
  return stages.sort((a, b) => (a.name < b.name ? -1 : 1))
}
