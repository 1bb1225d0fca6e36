import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import { renderDocs } from '../../builder/page/docs.ts'
import { renderMarkdown } from '../../builder/page/markdown.ts'
import { scratch } from '../support/scratch.ts'
import { checkout } from '../support/tools.ts'

const same = (target: string): string => target
const markupOf = (text: string, resolve: (target: string) => string | undefined = same): string =>
  renderMarkdown(text, resolve).markup.markup

test('a page has a title, anchors as GitHub gives them, and tables', (t) => {
  const { title, markup } = renderMarkdown(
    '# A `serve` page\n\n## The way\n\n## The way\n\n| a | b |\n|---|---|\n| 1 | 2 |',
    same,
  )
  t.is(title, 'A serve page')
  t.true(markup.markup.includes('<h1 id="a-serve-page">'))
  t.true(markup.markup.includes('<h2 id="the-way">'))
  t.true(markup.markup.includes('<h2 id="the-way-1">'))
  t.regex(markup.markup, /<table>.*<td>2<\/td>/s)
})

for (const [title, text, forbidden] of [
  ['a script', '<script>alert(1)</script>', /<script/],
  ['a handler', '<img src=x onerror=alert(1)>', /<img/],
  ['a frame within a line', 'see <iframe src="//x"></iframe> here', /<iframe/],
  ['a link that runs', '[a](javascript:alert(1))', /href="javascript/i],
  ['a link that runs, hidden', '[a](java&#115;cript:alert(1))', /href="java(?:script|&#115)/i],
  ['a link that runs, with a line in it', '[a](<java\nscript:alert(1)>)', /href="java/i],
  ['a link that runs, after a blank', '[a](< javascript:alert(1)>)', /href="\s*java/i],
  ['an address that runs', '<javascript:alert(1)>', /href="java/i],
  ['a picture that runs', '![a](javascript:alert(1))', /src="java/i],
  ['a picture from elsewhere by a tag', '<img src="javascript:alert(1)" alt="y">', /src="java/i],
  ['a host of somebody', '[a](//evil.example/x)', /href="\/\//],
  ['a style', '<style>*{display:none}</style>', /<style/],
  ['a comment that ends', '<!-- --><script>x</script>', /<script/],
  ['a fence that breaks out', '```"><script>x</script>\ny\n```', /<script/],
  ['a cell that breaks out', '| a |\n|---|\n| <script>x</script> |', /<script/],
  ['a heading that breaks out', '# x" onclick="y <b>', /" onclick="|<b>/],
  ['a link to data', '[a](data:text/html,x)', /href="data:text/],
  ['a tag that breaks out of a picture', '<img src="x" alt="y" onload="z"> <b>', /onload="|<b>/],
  ['a title that breaks out', '[a](b "x\\" onclick=\\"y")', /" onclick="/],
] as const) {
  test(`what a stranger's page cannot do: ${title}`, (t) => {
    t.notRegex(markupOf(text), forbidden)
  })
}

test('pictures with a width are pictures', (t) => {
  const markup = markupOf('<img src="docs/a.png" width="200" align="right" alt="A [page] on a phone">')
  t.is(markup.trim(), '<img src="docs/a.png" alt="A [page] on a phone">')
})

test('links lead where they are resolved to; what leads nowhere is text', (t) => {
  const markup = markupOf('[a](x.md) [b](gone) [c](https://example.org/)', (target) =>
    target === 'gone' ? undefined : target.replace('.md', '.html'),
  )
  t.is(markup, '<p><a href="x.html">a</a> b <a href="https://example.org/" rel="noreferrer">c</a></p>\n')
})

const textOf = async (root: string, path: string): Promise<string> => {
  const file = (await renderDocs(root, { home: '../' })).find((found) => found.path === path)
  return file && 'text' in file ? file.text : ''
}

test('the documentation of this checkout: every page, whose links lead to pages that are there', async (t) => {
  const files = await renderDocs(checkout, { home: '../' })
  const paths = new Set(files.map(({ path }) => path))
  for (const path of ['index.html', 'README.html', 'docs/stages.html', 'stages/portal/README.html', 'docs/report.png'])
    t.true(paths.has(path), path)
  const wrong: string[] = []
  let links = 0
  for (const file of files) {
    if (!('text' in file)) continue
    for (const [, target = ''] of file.text.matchAll(/(?:href|src)="([^"]*)"/g)) {
      if (/^(?:https?:|mailto:|data:|#)/.test(target) || /^(?:\.\.\/)+$/.test(target)) continue
      links += 1
      const [path = ''] = target.split('#')
      if (!paths.has(join(dirname(file.path), path))) wrong.push(`${file.path}: ${target}`)
    }
  }
  t.true(links > 200)
  t.deepEqual(wrong, [])
})

test('pages say where they lead back to, from any depth', async (t) => {
  const root = await scratch(t)
  await mkdir(join(root, 'stages/mill'), { recursive: true })
  await writeFile(join(root, 'README.md'), '# Begin\n\n[mill](stages/mill/README.md)')
  await writeFile(
    join(root, 'stages/mill/README.md'),
    '# Mill\n\n[up](../../README.md#begin) [out](../../../secret.md)',
  )
  const page = await textOf(root, 'stages/mill/README.html')
  t.true(page.includes('<a href="../../../">Front page</a>'))
  t.true(page.includes('<a href="../../README.html#begin">up</a>'))
  t.true(page.includes('</a> out</p>'))
})

test('links of the file system are not followed', async (t) => {
  const root = await scratch(t)
  await mkdir(join(root, 'docs'), { recursive: true })
  await mkdir(join(root, 'stages'))
  await writeFile(join(root, 'README.md'), '# Begin')
  await symlink('/etc/passwd', join(root, 'docs/x.md'))
  await symlink('/etc', join(root, 'stages/etc'))
  t.deepEqual((await renderDocs(root)).map(({ path }) => path).sort(), ['README.html', 'index.html'])
})
