import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { renderJsonSchemas } from '../../builder/profile/json-schema.ts'
import { checkout } from '../support/tools.ts'

for (const [name, text] of Object.entries(renderJsonSchemas())) {
  test(`stages/schema/${name} is up to date (node builder/profile/json-schema.ts writes it)`, async (t) => {
    t.is(await readFile(join(checkout, 'stages', 'schema', name), 'utf8'), text)
  })

  test(`${name} documents every key and refuses others`, (t) => {
    const undocumented: string[] = []
    const visit = (value: unknown, path: string): void => {
      if (value === null || typeof value !== 'object') return
      if ('properties' in value && value.properties !== null && typeof value.properties === 'object') {
        if (!('additionalProperties' in value) || value.additionalProperties !== false)
          undocumented.push(`${path}: open`)
        for (const [key, property] of Object.entries(value.properties)) {
          if (!('description' in property)) undocumented.push(`${path}.${key}`)
        }
      }
      for (const [key, child] of Object.entries(value)) visit(child, `${path}.${key}`)
    }
    visit(JSON.parse(text), name)
    t.deepEqual(undocumented, [])
  })
}
