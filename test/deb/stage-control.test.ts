import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { renderControl, renderSettings, renderStageJson } from '../../builder/deb/stage-control.ts'
import { stageFileSchema } from '../../builder/profile/schema.ts'
import { temporaryFolder } from '../profile/_project.ts'

const stageOf = (more: Record<string, unknown>) => ({
  ...stageFileSchema.parse({ name: 'x', version: '1.0', summary: 'X', description: 'X.', ...more }),
  npm: false,
  folder: '/nowhere',
  overlay: undefined,
})

test('control: depends on packages and needs, description folded', (t) => {
  const stage = stageOf({
    needs: ['first-boot'],
    packages: ['nodejs', 'libc6'],
    description: `${'word '.repeat(20)}\n\nSecond\nparagraph.`,
  })
  t.is(
    renderControl(stage, { architecture: 'amd64', installedKiB: 12 }),
    `Package: pibake-x
Version: 1.0
Architecture: all
Maintainer: pibake <pibake@localhost>
Installed-Size: 12
Depends: nodejs, libc6, pibake-first-boot
Section: misc
Priority: optional
Description: X
${' word'.repeat(15)}
${' word'.repeat(5)}
 .
 Second paragraph.
`,
  )
})

test('control: alternatives among the needs, and stages that cannot be there as well', (t) => {
  const control = renderControl(stageOf({ needs: ['a | b', 'c'], conflicts: ['d', 'e'] }), {
    architecture: 'arm64',
    installedKiB: 1,
  })
  t.regex(control, /^Depends: pibake-a \| pibake-b, pibake-c$/m)
  t.regex(control, /^Conflicts: pibake-d, pibake-e$/m)
})

test('control: a stage without dependencies has no Depends field', (t) => {
  t.notRegex(renderControl(stageOf({}), { architecture: 'amd64', installedKiB: 1 }), /Depends|Conflicts/)
})

test('what the image knows: checks between nodes by their paths, and no word of them where there are none', (t) => {
  const check = { name: 'up', title: 'It is up', run: 'up' }
  const stage = stageOf({
    labChecks: [
      { ...check, peer: 'ask' },
      { ...check, pairs: 'neighbours', timeoutSeconds: 5 },
    ],
  })
  t.deepEqual(JSON.parse(renderStageJson(stage)).labChecks, [
    {
      name: 'up',
      title: 'It is up',
      path: '/usr/lib/pibake/lab/x/up',
      peerPath: '/usr/lib/pibake/lab/x/ask',
      pairs: 'all',
      timeoutSeconds: 60,
    },
    { name: 'up', title: 'It is up', path: '/usr/lib/pibake/lab/x/up', pairs: 'neighbours', timeoutSeconds: 5 },
  ])
  t.false('labChecks' in JSON.parse(renderStageJson(stageOf({}))))
})

test('settings: one quoted line each, the description above', (t) => {
  const stage = stageOf({
    settings: {
      'max-peers': { description: 'How many.\nAt most.', default: 3 },
      peers: { description: 'Whom.', default: [] },
    },
  })
  t.is(
    renderSettings(stage, { peers: ['a', 'b'] }),
    `# Settings of the stage x.

# How many.
# At most.
MAX_PEERS='3'

# Whom.
PEERS='a b'
`,
  )
})

for (const value of [
  '',
  'plain',
  'two words',
  "it's",
  '$HOME `id` "x" \\',
  `it's $HOME \`id\` "x" \\`,
  '# no comment',
]) {
  test(`settings: sh reads back ${JSON.stringify(value)}`, async (t) => {
    const path = join(await temporaryFolder(t), 'x.conf')
    const stage = stageOf({ settings: { value: { description: 'A value.', default: value } } })
    await writeFile(path, renderSettings(stage, {}))
    const { stdout } = await promisify(execFile)('sh', ['-euc', `. ${path}; printf %s "$VALUE"`])
    t.is(stdout, value)
  })
}
