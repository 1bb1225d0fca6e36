import test from 'ava'
import { commands } from '../../builder/cli/commands.ts'
import { complete } from '../../builder/cli/complete.ts'

const names = { commands: commands.map(({ name }) => name), profiles: ['pub', 'mesh'], stages: ['ssh', 'ssb-pub'] }

const completes = test.macro(async (t, words: readonly string[], expected: readonly string[]) => {
  const entry = commands.find(({ name }) => words.slice(0, -1).includes(name))
  t.deepEqual(complete(words, entry && { name: entry.name, command: await entry.load() }, names), expected)
})

test('a command', completes, ['pro'], ['profiles'])
test('the profile of the default command', completes, ['--profile', ''], ['pub', 'mesh'])
test('the profile of a command', completes, ['plan', '--profile', 'm'], ['mesh'])
test('an option of a command', completes, ['bake', '--tw'], ['--twins'])
test('an option without a command', completes, ['--pro'], ['--profile'])
test('a choice of an option', completes, ['test', 'x.img', '--board', ''], ['virt', 'raspi3b'])
test('what follows a switch is a word of its own', completes, ['--json', 'sta'], ['stages'])
test('a stage', completes, ['stages', 'ss'], ['ssh', 'ssb-pub'])
test('a choice for a positional', completes, ['cache', 'v'], ['verify'])
test('an image is left to the shell', completes, ['test', ''], [])
test('a command without positionals', completes, ['doctor', ''], [])
