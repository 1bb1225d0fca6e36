import { link, lutimes, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Context } from '../../builder/cli/context.ts'
import { diff } from '../../builder/cli/diff.ts'
import { inspect } from '../../builder/cli/inspect.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import type { Emit } from '../../builder/core/event.ts'
import { projectAt } from '../../builder/core/project.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { sectorBytes } from '../../builder/image/table.ts'
import { compareImages } from '../../builder/inspect/compare.ts'
import type { EntryDifference } from '../../builder/inspect/compare-entries.ts'
import { extractData } from '../../builder/page/report-data.ts'
import { plainly } from '../../builder/report/style.ts'
import { bootStart, copyImage, debugImage, makeImage } from '../support/make-image.ts'
import { scratch } from '../support/scratch.ts'
import { checkout, tools } from '../support/tools.ts'

const timeSeconds = 1_700_000_000
const names = ['attributes', 'content', 'copied', 'gone', 'grown', 'kind', 'linked', 'mode', 'owner', 'same', 'time']

const writeDated = async (path: string, content: string): Promise<void> => {
  await writeFile(path, content)
  await lutimes(path, timeSeconds, timeSeconds)
}

const makeTrees = async (folder: string): Promise<{ root: string; boot: string }> => {
  const [root, boot] = [join(folder, 'root'), join(folder, 'boot')]
  await mkdir(join(root, 'etc'), { recursive: true })
  await mkdir(boot)
  for (const name of names) await writeDated(join(root, 'etc', name), `this is ${name}\n`)
  await link(join(root, 'etc/linked'), join(root, 'etc/linked-again'))
  await link(join(root, 'etc/copied'), join(root, 'etc/copied-again'))
  await symlink('content', join(root, 'etc/link'))
  await lutimes(join(root, 'etc/link'), timeSeconds, timeSeconds)
  await writeDated(join(boot, 'cmdline.txt'), 'quiet\n')
  await writeDated(join(boot, 'config.txt'), 'arm_64bit=1\n')
  return { root, boot }
}

const brief = ({ partition, path, change, aspects }: EntryDifference): string =>
  [partition, path, change, ...aspects].join(' ')

const ifRoot = process.getuid?.() === 0 ? test : test.skip

ifRoot('says of each name what became of it, and reads no more than it must', async (t) => {
  const folder = await scratch(t)
  const before = join(folder, 'before.img')
  await makeImage(before, await makeTrees(folder))
  const after = join(folder, 'after.img')
  await copyImage(before, after)
  t.deepEqual(await compareImages(before, after), { isSame: true, facts: [], entries: [] })

  const content = join(folder, 'content')
  await writeDated(content, 'this is CONTENT\n')
  const grown = join(folder, 'grown')
  await writeDated(grown, 'this is longer than before\n')
  const copied = join(folder, 'copied')
  await writeDated(copied, 'this is copied\n')
  await runTool(tools, ['mcopy', '-i', `${after}@@${bootStart * sectorBytes}`, '-o', '-m', grown, '::config.txt'], {
    readOnly: [grown],
    writable: [after],
    env: { MTOOLS_SKIP_CHECK: '1', TZ: 'UTC' },
  })
  const commands = [
    'cd /etc',
    'ea_set attributes user.note hello',
    ...Object.entries({ content, grown, 'copied-again': copied }).flatMap(([name, path]) => [
      `rm ${name}`,
      `write ${path} ${name}`,
      `sif ${name} mtime @${timeSeconds}`,
    ]),
    'rm gone',
    'rm kind',
    'symlink kind elsewhere',
    'rm link',
    'symlink link grown',
    `sif link mtime @${timeSeconds}`,
    'sif mode mode 0100755',
    'sif owner uid 33',
    'sif time mtime @1800000000',
    'mkdir /etc/added',
  ]
  await debugImage(after, commands, [content, grown, copied])
  const { isSame, facts, entries } = await compareImages(before, after)
  t.false(isSame)
  t.deepEqual(facts, [])
  t.deepEqual(entries.map(brief), [
    '1 /config.txt changed content',
    '2 /etc/added added',
    '2 /etc/attributes changed attributes',
    '2 /etc/content changed content',
    '2 /etc/copied-again changed links',
    '2 /etc/gone removed',
    '2 /etc/grown changed content',
    '2 /etc/kind changed kind',
    '2 /etc/link changed target',
    '2 /etc/mode changed mode',
    '2 /etc/owner changed owner',
    '2 /etc/time changed time',
  ])
  const found = (path: string): EntryDifference | undefined => entries.find((entry) => entry.path === path)
  t.is(found('/etc/content')?.before?.sha256, hashBytes('this is content\n'))
  t.is(found('/etc/content')?.after?.sha256, hashBytes('this is CONTENT\n'))
  t.is(found('/etc/grown')?.after?.sizeBytes, 27)
  t.is(found('/etc/grown')?.after?.sha256, undefined, 'the length tells')
  t.is(found('/etc/link')?.after?.target, 'grown')
  t.is(found('/etc/attributes')?.after?.attributes?.['user.note'], Buffer.from('hello').toString('hex'))
})

ifRoot('says what differs of table and file systems', async (t) => {
  const folder = await scratch(t)
  const trees = await makeTrees(folder)
  const [before, after] = [join(folder, 'before.img'), join(folder, 'after.img')]
  await makeImage(before, trees)
  await copyImage(before, after)
  await runTool(tools, ['sfdisk', '--disk-id', after, '0x12345678'], { writable: [after] })
  await debugImage(after, ['ssv volume_name other', 'ssv uuid clear'])
  const { facts, entries } = await compareImages(before, after)
  t.deepEqual(entries, [])
  t.deepEqual(
    facts.map(({ where, what, after: value }) => `${where}: ${what} ${value}`),
    ['image: disk id 12345678', 'partition 2: label other', 'partition 2: id 00000000-0000-0000-0000-000000000000'],
  )
})

const contextWith = (emit: Emit): Context => ({
  project: projectAt(checkout),
  emit,
  signal: new AbortController().signal,
  options: { json: false, verbose: false, yes: false, offline: false, color: false },
  isOffline: false,
  terminal: { input: process.stdin, output: process.stdout },
  continueOffline: async () => ({}),
})

ifRoot('the command ends as diff does: 0 the same, 1 not; an archive is as good as its image', async (t) => {
  const folder = await scratch(t)
  const [before, after] = [join(folder, 'before.img'), join(folder, 'after.img')]
  await makeImage(before, await makeTrees(folder))
  await copyImage(before, after)
  await runTool(tools, ['xz', '-0', before], { writable: [folder] })
  const packed = `${before}.xz`
  const steps: string[] = []
  const context = contextWith((event) => {
    if (event.type === 'step-start') steps.push(event.title)
  })
  t.is((await diff.run({ before: packed, after, all: false }, context)).exitCode, 0)
  t.deepEqual(steps, ['Unpack before.img.xz', 'Compare the images'])
  await debugImage(after, ['rm /etc/gone'])
  const { exitCode, lines } = await diff.run({ before: packed, after, all: false }, context)
  t.is(exitCode, 1)
  t.true(lines?.(plainly).some((line) => line.startsWith('  - 2:/etc/gone')))

  const inspected = await inspect.run({ image: packed, all: false, html: join(folder, 'page.html') }, context)
  t.is(inspected.lines?.(plainly)[0], 'before.img: 84 MB, disk id 0badcafe')
  t.is(extractData(await readFile(join(folder, 'page.html'), 'utf8'))?.summary.image, 'before.img')
  const unwritable = inspect.run({ image: after, all: false, html: join(packed, 'page.html') }, context)
  t.is((await t.throwsAsync(unwritable, { instanceOf: PibakeError }))?.code, 'USAGE')
})
