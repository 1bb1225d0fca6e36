import test from 'ava'
import { exitCodeOf, PibakeError } from '../../builder/core/error.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import { type FileSpec, makeProject, profileYaml, stageYaml } from './_project.ts'

/** Files of a checkout whose profile `p` has mistakes, and the lines that must name them all. */
interface Mistake {
  files: Readonly<Record<string, FileSpec>>
  expected: readonly string[]
}

const good = { 'stages/ssh/stage.yaml': stageYaml('ssh', 'settings:', '  port: {description: Port, default: 22}') }
const pinned = 'a'.repeat(64)

const inProfile = (lines: string, ...expected: string[]): Mistake => ({
  files: { ...good, 'stages/profiles/p.yaml': `name: p\nsummary: A profile\n${lines}\n` },
  expected: expected.map((line) => `stages/profiles/p.yaml:${line}`),
})

const inStage = (lines: string, ...expected: string[]): Mistake => ({
  files: {
    'stages/profiles/p.yaml': profileYaml('p', 'stages: [x]'),
    'stages/x/stage.yaml': stageYaml('x', lines),
  },
  expected: expected.map((line) => `stages/x/stage.yaml:${line}`),
})

const mistakes: Record<string, Mistake> = {
  'unknown key': inProfile('stagse: [ssh]', '3:1: unknown key `stagse` — did you mean `stages`?'),
  'unknown nested key': inProfile('image:\n  bootMib: 1', '4:3: unknown key `bootMib` — did you mean `bootMiB`?'),
  'wrong type': inProfile('stages: ssh', '3:9: expected a list, got the text `ssh`'),
  'nothing where a list stands': inProfile('stages:', '3:8: expected a list, got nothing'),
  'wrong type in a list': inProfile(
    'extraPackages:\n  - tmux\n  - 7',
    '5:5: expected text, got the number `7` — put it in quotes',
  ),
  'not one of the values': inProfile(
    'suite: trixi',
    '3:8: expected one of `trixie`, `forky`, `bookworm`, got the text `trixi` — did you mean `trixie`?',
  ),
  'duplicate key': inProfile('stages: []\nstages: []', '4:1: the key `stages` stands here a second time'),
  'bad syntax': inProfile(
    'stages: [ssh',
    '4:1: bad YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
  ),
  'unknown tag': inProfile('hostname: !x pub', '3:11: bad YAML: Unresolved tag: !x'),
  'unknown stage': inProfile(
    'stages:\n  - shs\n  - tor\n  - shh',
    '4:5: there is no stage `shs` — did you mean `ssh`?',
    '5:5: there is no stage `tor`',
    '6:5: there is no stage `shh` — did you mean `ssh`?',
  ),
  'stage twice': inProfile('stages: [ssh, ssh]', '3:15: `ssh` stands here a second time'),
  'unknown setting': inProfile(
    'stages: [ssh]\nsettings:\n  ssh:\n    prot: 22\n    xyz: 1',
    '6:5: the stage `ssh` has no setting `prot` — did you mean `port`?',
    '7:5: the stage `ssh` has no setting `xyz`',
  ),
  'wrong type of a setting': inProfile(
    "stages: [ssh]\nsettings:\n  ssh: {port: '22'}",
    '5:15: expected a number, got text',
  ),
  'a setting that is a mapping': inProfile(
    'stages: [ssh]\nsettings:\n  ssh: {port: {a: 1}}',
    '5:15: expected text, a number, true or false, or a list of texts, got a mapping',
  ),
  'settings of a stage that is not there': inProfile('settings: {shh: {}}', '3:12: the profile has no stage `shh`'),
  'extends an unknown profile': inProfile('extends: pp', '3:10: there is no profile `pp` — did you mean `p`?'),
  'extends itself': inProfile('extends: p', '3:10: profiles extend each other in a circle: p → p'),
  'name is not the file': {
    files: { 'stages/profiles/p.yaml': profileYaml('q') },
    expected: ['stages/profiles/p.yaml:1:7: expected `p`, the name of the file'],
  },
  'missing key': {
    files: { 'stages/profiles/p.yaml': '# a comment\nname: p\n' },
    expected: ['stages/profiles/p.yaml:2:1: the key `summary` is missing'],
  },
  'empty file': {
    files: { 'stages/profiles/p.yaml': '' },
    expected: ['stages/profiles/p.yaml:1:1: expected a mapping, got nothing'],
  },
  'need that does not exist': inStage('needs:\n- yggdrasil', '6:3: there is no stage `yggdrasil`'),
  'need of which one is enough, and one does not exist': {
    files: {
      'stages/profiles/p.yaml': profileYaml('p', 'stages: [x]'),
      'stages/x/stage.yaml': stageYaml('x', 'needs: [y | other]'),
      'stages/y/stage.yaml': stageYaml('y'),
    },
    expected: ['stages/x/stage.yaml:5:9: there is no stage `other`'],
  },
  'stages that cannot be together': {
    files: {
      'stages/profiles/p.yaml': profileYaml('p', 'stages:', '  - x', '  - y'),
      'stages/x/stage.yaml': stageYaml('x', 'conflicts: [y]'),
      'stages/y/stage.yaml': stageYaml('y'),
    },
    expected: ['stages/profiles/p.yaml:5:5: `x` and `y` cannot be on one image: list one'],
  },
  'needs in a circle': {
    files: {
      'stages/profiles/p.yaml': profileYaml('p', 'stages: [x]'),
      'stages/x/stage.yaml': stageYaml('x', 'needs: [y]'),
      'stages/y/stage.yaml': stageYaml('y', 'needs:', '  - x'),
    },
    expected: ['stages/y/stage.yaml:6:5: stages need each other in a circle: x → y → x'],
  },
  'mistakes in the profile and its stages': {
    files: {
      'stages/profiles/p.yaml': profileYaml('p', 'stages: [x, nothing-like-it]'),
      'stages/x/stage.yaml': stageYaml('x', 'package: []'),
    },
    expected: [
      'stages/x/stage.yaml:5:1: unknown key `package` — did you mean `packages`?',
      'stages/profiles/p.yaml:3:13: there is no stage `nothing-like-it`',
    ],
  },
  'a name that pibake takes for itself': {
    files: {
      'stages/profiles/p.yaml': profileYaml('p', 'stages: [image]'),
      'stages/image/stage.yaml': stageYaml('image'),
    },
    expected: [
      'stages/image/stage.yaml:1:7: pibake has a step of this name; give the stage another, got the text `image`',
    ],
  },
  'version without quotes': {
    files: {
      'stages/profiles/p.yaml': profileYaml('p', 'stages: [x]'),
      'stages/x/stage.yaml': stageYaml('x').replace("'1.0'", '1.0'),
    },
    expected: ['stages/x/stage.yaml:2:10: expected text, got the number `1` — put it in quotes'],
  },
  'missing check file': inStage(
    'checks:\n  - {name: a, title: A, run: a.sh}',
    '6:30: the file `checks/a.sh` does not exist',
  ),
  'missing files of a check between nodes': inStage(
    'labChecks:\n  - {name: a, title: A, run: a.sh, peer: b.sh}',
    '6:30: the file `lab/a.sh` does not exist',
    '6:42: the file `lab/b.sh` does not exist',
  ),
  'unknown pairs': inStage(
    'labChecks:\n  - {name: a, title: A, run: a, pairs: neighbors}',
    '6:40: expected one of `all`, `neighbours`, got the text `neighbors` — did you mean `neighbours`?',
  ),
  'setting name': inStage(
    'settings:\n  Some_Port: {description: D, default: 1}',
    '6:3: a setting name is kebab-case: lower-case words joined by hyphens',
  ),
  'unknown key in a list': inStage(
    'checks:\n  - name: a\n    titles: A\n    run: a',
    '6:5: the key `title` is missing',
    '7:5: unknown key `titles` — did you mean `title`?',
  ),
  'artifact from nowhere': inStage(
    `artifacts:\n  - {name: a, sha256: ${pinned}, path: /a}`,
    '6:5: an artifact needs a `url` or a `file`, got a mapping',
  ),
  'artifact path with dots': inStage(
    `artifacts:\n  - {name: a, sha256: ${pinned}, url: 'https://x/a', path: /usr/../a}`,
    '6:115: expected an absolute path such as `/usr/lib/pibake/name`, with no `.` or `..` in it, got the text `/usr/../a`',
  ),
  'mode without quotes': inStage(
    `artifacts:\n  - {name: a, mode: 0755, sha256: ${pinned}, file: a, path: /a}`,
    "6:21: expected a mode in quotes, such as '0755', got the number `755`",
  ),
  'artifact for a stage that is not there': inProfile(
    `stages: [ssh]\nartifacts: {shh: {a: {file: a, sha256: ${pinned}}}}`,
    '4:13: the profile has no stage `shh` — did you mean `ssh`?',
  ),
  'artifact for a slot that is not there': inProfile(
    `stages: [ssh]\nartifacts:\n  ssh:\n    a: {file: a, sha256: ${pinned}}`,
    '6:5: the stage `ssh` has no slot `a`',
  ),
  'artifact of a profile from nowhere': inProfile(
    `artifacts: {ssh: {a: {sha256: ${pinned}}}}`,
    '3:22: an artifact needs a `url` or a `file`, got a mapping',
  ),
  'slot called as an artifact': inStage(
    `artifacts:\n  - {name: a, sha256: ${pinned}, url: 'https://x/a', path: /a}\nslots:\n  - {name: a, description: A, path: /b}`,
    '8:12: an artifact is called `a` already',
  ),
  'npm tree without its lock': {
    files: {
      'stages/profiles/p.yaml': profileYaml('p', 'stages: [x]'),
      'stages/x/stage.yaml': stageYaml('x', 'npm: true'),
      'stages/x/npm/package.json': '{}',
    },
    expected: ['stages/x/stage.yaml:5:6: the file `npm/package-lock.json` is missing'],
  },
}

const lists = test.macro({
  title: (name) => `lists: ${name}`,
  async exec(t, { files, expected }: Mistake) {
    const project = await makeProject(t, files)
    const error = await t.throwsAsync(resolveProfile(project, 'p'), { instanceOf: PibakeError })
    t.is(error?.code, 'CONFIG_INVALID')
    t.is(exitCodeOf(error), 2)
    t.deepEqual(
      error?.details.filter((line) => !line.startsWith('  ')),
      expected,
    )
  },
})

for (const [name, mistake] of Object.entries(mistakes)) test(name, lists, mistake)

test('the offending line is shown with a caret', async (t) => {
  const { files } = inProfile('stages:\n  - shs')
  const error = await t.throwsAsync(resolveProfile(await makeProject(t, files), 'p'), { instanceOf: PibakeError })
  t.is(error?.message, '`stages/profiles/p.yaml` has a mistake.')
  t.deepEqual(error?.details, [
    'stages/profiles/p.yaml:4:5: there is no stage `shs` — did you mean `ssh`?',
    '  4 |   - shs',
    '    |     ^',
  ])
})

test('an artifact without a sha256 has a code of its own', async (t) => {
  const { files } = inStage("artifacts:\n  - {name: a, url: 'https://x/a', path: /a}")
  const error = await t.throwsAsync(resolveProfile(await makeProject(t, files), 'p'), { instanceOf: PibakeError })
  t.is(error?.code, 'ARTIFACT_UNPINNED')
  t.is(error?.details[0], 'stages/x/stage.yaml:6:5: an artifact needs its `sha256`')
})
