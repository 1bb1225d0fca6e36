import test from 'ava'
import { groupsOf, hashPasswords, makePassword } from '../../builder/card/one-time.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { tools } from '../support/tools.ts'

const signal = new AbortController().signal

test('passwords are hashed so that crypt(3) knows them again, each with a salt of its own', async (t) => {
  const same = makePassword()
  const passwords = [same, same, ...Array.from({ length: 20 }, makePassword), "with space, $ and 'quotes'"]
  const hashes = await hashPasswords(passwords, { tools, signal })
  t.is(new Set(hashes).size, passwords.length)
  const program =
    'while (<STDIN>) { chomp; my ($hash, $word) = split / /, $_, 2; print crypt($word, $hash) eq $hash ? "y" : "n" }'
  const input = passwords.map((password, index) => `${hashes[index]} ${password}\n`).join('')
  const { stdout } = await runTool(tools, ['perl', '-e', program], { input })
  t.is(stdout, 'y'.repeat(passwords.length))
  const other = passwords.map((_, index) => `${hashes[index]} wrong\n`).join('')
  t.is((await runTool(tools, ['perl', '-e', program], { input: other })).stdout, 'n'.repeat(passwords.length))
})

test('nothing to hash is no mistake', async (t) => {
  t.deepEqual(await hashPasswords([], { tools, signal }), [])
})

test('a password is printed in groups', (t) => {
  t.deepEqual(groupsOf('bcdefghjknprstuv'), ['bcde', 'fghj', 'knpr', 'stuv'])
  t.is(groupsOf(makePassword()).join('').length, 16)
})
