import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { profileFileSchema, stageFileSchema, topologyFileSchema } from './schema.ts'

const render = (title: string, schema: z.ZodType): string =>
  `${JSON.stringify({ title, ...z.toJSONSchema(schema, { io: 'input', target: 'draft-07' }) }, undefined, 2)}\n`

/** JSON Schemas (draft 7, what YAML editors understand) by file name, made from the schemas that pibake validates with. */
export const renderJsonSchemas = (): Record<string, string> => ({
  'profile.schema.json': render('pibake profile', profileFileSchema),
  'stage.schema.json': render('pibake stage', stageFileSchema),
  'topology.schema.json': render('pibake lab topology', topologyFileSchema),
})

/** Write the JSON Schemas into `folder`; `node builder/profile/json-schema.ts` writes the checkout's own. */
const writeJsonSchemas = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true })
  for (const [name, text] of Object.entries(renderJsonSchemas())) await writeFile(join(folder, name), text)
}

if (import.meta.main) await writeJsonSchemas(join(import.meta.dirname, '..', '..', 'stages', 'schema'))
