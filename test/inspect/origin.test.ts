import test from 'ava'
import { assignStages } from '../../builder/inspect/origin.ts'

const item = (name: string, needs = '', more: { provides?: string[]; isEssential?: boolean } = {}) => ({
  name,
  needs: needs.split(',').map((group) => group.split('|').filter((option) => option !== '')),
  provides: [],
  isEssential: false,
  ...more,
})

const assign = (packages: readonly ReturnType<typeof item>[], stages: readonly string[]): Record<string, string> =>
  Object.fromEntries(assignStages(packages, { stages, baseRoots: ['systemd'] }))

test('essential packages, those of the base and what they need are the base', (t) => {
  const packages = [item('dash', 'libc6', { isEssential: true }), item('libc6'), item('systemd', 'udev'), item('udev')]
  t.deepEqual(assign(packages, []), { dash: 'base', libc6: 'base', systemd: 'base', udev: 'base' })
})

test('a stage has what it needs beyond the base and the stages below it', (t) => {
  const packages = [
    item('libc6', '', { isEssential: true }),
    item('pibake-portal', 'nginx,libc6'),
    item('nginx', 'libssl,libc6'),
    item('libssl'),
    item('pibake-a-wiki', 'pibake-portal,php'),
    item('php', 'libssl,libxml'),
    item('libxml'),
  ]
  t.deepEqual(assign(packages, ['a-wiki', 'portal']), {
    libc6: 'base',
    'pibake-portal': 'portal',
    nginx: 'portal',
    libssl: 'portal',
    'pibake-a-wiki': 'a-wiki',
    php: 'a-wiki',
    libxml: 'a-wiki',
  })
})

test('of alternatives the first that is there counts, and one that is provided', (t) => {
  const packages = [
    item('pibake-mail', 'exim|postfix,awk'),
    item('postfix'),
    item('mawk', '', { provides: ['awk'] }),
    item('left-over'),
  ]
  t.deepEqual(assign(packages, ['mail']), {
    'pibake-mail': 'mail',
    postfix: 'mail',
    mawk: 'mail',
    'left-over': 'base',
  })
})

test('packages and stages that need each other in a circle', (t) => {
  const packages = [item('pibake-a', 'pibake-b,x'), item('pibake-b', 'pibake-a'), item('x', 'y'), item('y', 'x')]
  t.deepEqual(assign(packages, ['a', 'b']), { 'pibake-b': 'b', 'pibake-a': 'b', x: 'b', y: 'b' })
})
