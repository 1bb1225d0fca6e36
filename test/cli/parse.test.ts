import test from 'ava'
import { commands } from '../../builder/cli/commands.ts'
import { guessGlobals, readGlobals } from '../../builder/cli/context.ts'
import { parseCommandLine } from '../../builder/cli/parse.ts'
import { PibakeError } from '../../builder/core/error.ts'

const parse = (line: string) => parseCommandLine(line === '' ? [] : line.split(' '), { version: '9.8.7', width: 100 })

const runs = test.macro(async (t, line: string, name: string, expected: Readonly<Record<string, unknown>>) => {
  const parsed = await parse(line)
  if (parsed.kind !== 'run') return t.fail(`got text: ${parsed.text}`)
  t.is(parsed.entry.name, name)
  t.like(parsed.args, expected)
})

test('options alone mean bake', runs, '--profile pub', 'bake', { profile: 'pub', twins: true, frozen: false })
test('global options may come first', runs, '--json --no-color --profile pub', 'bake', {
  profile: 'pub',
  json: true,
  color: false,
})
test('bake by its name', runs, 'bake --profile=pub --no-twins', 'bake', { profile: 'pub', twins: false })
test('a global option before a command', runs, '--json stages', 'stages', { json: true })
test('a positional', runs, 'test images/pub.img --board raspi3b', 'test', { image: 'images/pub.img', board: 'raspi3b' })
test('a lab of a profile, only to look at', runs, 'lab --profile pub --nodes 4 --topology ring --no-checks', 'lab', {
  profile: 'pub',
  nodes: 4,
  topology: 'ring',
  checks: false,
  keep: false,
  memory: 1024,
})
test('a positional that may be missing', runs, 'cache', 'cache', { action: 'show', 'dry-run': false })
test('words after two hyphens stay together', runs, 'completion words -- bake --pro', 'completion', {
  shell: 'words',
  '--': ['bake', '--pro'],
})

const fails = test.macro(async (t, line: string, message: string, hint: string) => {
  const error = await t.throwsAsync(parse(line), { instanceOf: PibakeError })
  t.is(error?.code, 'USAGE')
  t.is(error?.message, message)
  t.is(error?.hint, hint)
})

test(
  'a misspelt command',
  fails,
  'stagse',
  'There is no command `stagse`.',
  'Did you mean `stages`? See `pibake --help`.',
)
test('a word that is like no command', fails, 'xyzzy', 'There is no command `xyzzy`.', 'See `pibake --help`.')
test(
  'a misspelt option of the default command',
  fails,
  '--profil pub',
  '`profil` is no option or argument of `bake`.',
  'Did you mean `--profile`? See `pibake bake --help`.',
)
test(
  'a misspelt global option',
  fails,
  'stages --jso',
  '`jso` is no option or argument of `stages`.',
  'Did you mean `--json`? See `pibake stages --help`.',
)
test(
  'too many words',
  fails,
  'doctor now',
  '`now` is no option or argument of `doctor`.',
  'See `pibake doctor --help`.',
)
test(
  'too few words',
  fails,
  'test',
  'Not enough non-option arguments: got 0, need at least 1.',
  'See `pibake test --help`.',
)
test(
  'an option without its value',
  fails,
  '--profile',
  'Not enough arguments following: profile.',
  'See `pibake bake --help`.',
)

test('an impossible value names the possible ones', async (t) => {
  const error = await t.throwsAsync(parse('test x.img --board pi9'), { instanceOf: PibakeError })
  t.is(error?.code, 'USAGE')
  t.regex(error?.details.join(' ') ?? '', /board.*"pi9".*"virt", "raspi3b"/)
})

test('nothing at all, and --help, give the overview with examples', async (t) => {
  const help = await parse('--help')
  t.deepEqual(await parse(''), help)
  const text = help.kind === 'text' ? help.text : ''
  for (const { name } of commands) t.true(text.includes(`pibake ${name}`), name)
  t.true(text.includes('pibake --profile pub'))
  t.true(text.split('\n').every((line) => line.length <= 100))
})

test('--version gives the version', async (t) => {
  t.deepEqual(await parse('--version'), { kind: 'text', text: '9.8.7' })
})

for (const { name } of commands) {
  test(`${name} --help has examples`, async (t) => {
    const help = await parse(`${name} --help`)
    const text = help.kind === 'text' ? help.text : ''
    t.true(text.startsWith(`pibake ${name}`), text)
    t.regex(text, /Examples:\n +\S/)
    t.true(text.includes('--json'))
  })
}

test('global options are guessed from a wrong command line', (t) => {
  const globals = guessGlobals(['nope', '--json', '--no-color', '--', '--verbose'])
  t.deepEqual(globals, { json: true, verbose: false, yes: false, offline: false, color: false })
  t.deepEqual(readGlobals({ json: true, color: false }), globals)
})
