import test from 'ava'
import { projectAt } from '../../builder/core/project.ts'
import { renderDocuments } from '../../builder/kit/documents.ts'
import { pathFault } from '../../builder/kit/manifest.ts'
import { checkout } from '../support/tools.ts'

test('every page of the documentation is rendered, and every link in them leads to a file or a heading that is there', async (t) => {
  const { pages, files } = await renderDocuments(projectAt(checkout))
  const all = new Map(pages.map(({ path, bytes }) => [path, bytes]))
  const present = new Set([...all.keys(), ...files.map(({ path }) => path)])
  t.true(present.has('index.html') && present.has('docs/flash.html') && present.has('stages/ssb-pub/README.html'))
  for (const path of present) t.is(pathFault(path), undefined, path)
  const wrong: string[] = []
  for (const [path, text] of all) {
    for (const [, target = ''] of text.matchAll(/<(?:a href|img src)="([^"]+)"/g)) {
      const url = new URL(target, `file:///${path}`)
      if (url.protocol !== 'file:') continue
      const place = decodeURIComponent(url.pathname.slice(1))
      const anchor = decodeURIComponent(url.hash.slice(1))
      if (!present.has(place)) wrong.push(`${path}: ${target}`)
      else if (anchor !== '' && !all.get(place)?.includes(`id="${anchor}"`)) wrong.push(`${path}: ${target}`)
    }
  }
  t.deepEqual(wrong, [])
})
