import test from 'ava'
import { checkIdentities, parseIdentity, sharedIdentity } from '../../builder/boot/lab-identity.ts'

const digest = (letter: string): string => letter.repeat(64)

const node = (name: string, lines: readonly string[]) => ({
  name,
  guest: {
    run: async () => ({ output: lines.join('\n'), exitCode: 0, timedOut: false }),
    push: async () => {},
  },
})

type Node = Parameters<typeof checkIdentities>[0][number]

const nodeOf = (name: string, files: Readonly<Record<string, string>>): Node =>
  node(
    name,
    Object.entries(files).map(([path, letter]) => `${digest(letter)}  ${path}`),
  ) as unknown as Node

test('lines as sha256sum(1) writes them', (t) => {
  const lines = [`${digest('a')}  /etc/machine-id`, `\\${digest('b')}  /etc/a\\\\b`, 'find: no such file']
  t.deepEqual(
    [...parseIdentity(lines.join('\n'))],
    [
      ['/etc/machine-id', digest('a')],
      ['/etc/a\\\\b', digest('b')],
    ],
  )
})

test('the same bytes on two nodes are named, whatever the path; twice on one node they are not', (t) => {
  const identities = new Map([
    ['a', new Map([['/x', digest('1')]])],
    [
      'b',
      new Map([
        ['/y', digest('1')],
        ['/z', digest('2')],
        ['/zz', digest('2')],
      ]),
    ],
  ])
  t.deepEqual(sharedIdentity(identities), ['the same in a:/x and b:/y'])
})

test('nodes that differ pass; what they share, and a node that says nothing of itself, fails', async (t) => {
  const one = nodeOf('a', { '/etc/machine-id': '1', '/etc/ssh/key': '2' })
  const other = nodeOf('b', { '/etc/machine-id': '3', '/etc/ssh/key': '4' })
  const passed = await checkIdentities([one, other], undefined)
  t.is(passed.outcome, 'passed')
  t.regex(passed.output, /^compared \/etc\/machine-id\ncompared \/etc\/ssh\/key$/)
  const copied = await checkIdentities([one, nodeOf('c', { '/etc/machine-id': '5', '/etc/ssh/key': '2' })], undefined)
  t.is(copied.outcome, 'failed')
  t.regex(copied.output, /the same in a:\/etc\/ssh\/key and c:\/etc\/ssh\/key/)
  t.is((await checkIdentities([one, nodeOf('d', {})], undefined)).outcome, 'failed')
})
