import test from 'ava'
import { projectAt } from '../../builder/core/project.ts'
import { linkOn, renderDocument } from '../../builder/stick/document.ts'
import { renderDocuments } from '../../builder/stick/documents.ts'
import { pathFault } from '../../builder/stick/manifest.ts'
import { checkout } from '../support/tools.ts'

const paths = new Map([
  ['README.md', 'index.html'],
  ['docs/kit.md', 'docs/kit.html'],
  ['docs/flash.md', 'docs/flash.html'],
  ['docs/a.png', 'docs/a.png'],
  ['stages/ssh/README.md', 'docs/stages/ssh.html'],
])

for (const [from, href, target] of [
  ['README.md', 'docs/kit.md', 'docs/kit.html'],
  ['docs/kit.md', 'flash.md#what', 'flash.html#what'],
  ['docs/kit.md', '../README.md', '../index.html'],
  ['docs/kit.md', '../stages/ssh/README.md', 'stages/ssh.html'],
  ['stages/ssh/README.md', '../../docs/kit.md', '../kit.html'],
  ['stages/ssh/README.md', '../../docs/a.png', '../a.png'],
  ['docs/kit.md', '#here', '#here'],
  ['docs/kit.md', 'https://example.org/x.md', 'https://example.org/x.md'],
  ['docs/kit.md', '../builder/main.ts', undefined],
  ['docs/kit.md', '../../../etc/passwd', undefined],
] as const) {
  test(`a link from ${from} to ${href} leads to ${target}`, (t) => t.is(linkOn(from, href, paths), target))
}

test('a page: title, anchors, tables, code, pictures; what is not on the stick is plain text', (t) => {
  const text = [
    '# The `kit` & more',
    '## What is on it?',
    '| a | b |',
    '|---|---|',
    '| 1 | [two](flash.md) |',
    '',
    '```sh',
    'a <b> && c',
    '```',
    '',
    'See ![alt "text"](a.png) and [source](../builder/main.ts).',
    '',
  ].join('\n')
  const page = renderDocument('docs/kit.md', text, paths)
  t.true(page.startsWith('<!doctype html>'))
  t.regex(page, /<title>The kit &amp; more<\/title>/)
  t.regex(page, /<h2 id="what-is-on-it">What is on it\?<\/h2>/)
  t.regex(page, /<td><a href="flash\.html">two<\/a><\/td>/)
  t.regex(page, /a &lt;b&gt; &amp;&amp; c/)
  t.regex(page, /<img src="a\.png" alt="alt &quot;text&quot;">/)
  t.regex(page, /and source\./)
})

test('every page of the documentation is rendered, and every link in them leads to a file or a heading that is there', async (t) => {
  const { pages, files } = await renderDocuments(projectAt(checkout))
  const all = new Map(pages.map(({ path, bytes }) => [path, bytes]))
  const present = new Set([...all.keys(), ...files.map(({ path }) => path)])
  t.true(present.has('index.html') && present.has('docs/flash.html') && present.has('docs/stages/ssb-pub.html'))
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
