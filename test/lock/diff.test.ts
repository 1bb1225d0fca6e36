import test from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import { diffLocks, formatChange } from '../../builder/lock/diff.ts'
import { deb, lock } from './_lock.ts'

test('equal locks have no differences', (t) => {
  t.deepEqual(diffLocks(lock, structuredClone(lock)), [])
})

test('packages changed, new, gone and moved', (t) => {
  const after = {
    ...lock,
    steps: [
      { name: 'base', debs: [deb('a', '2'), deb('tmux')] },
      { name: 'web', debs: [deb('nginx'), deb('libx')] },
    ],
    extras: [],
  }
  t.deepEqual(diffLocks(lock, after).map(formatChange), [
    'base: a 1 -> 2',
    'base: tmux (new) -> 1',
    'web: libx (new) -> 1',
    'base: b 1 -> (gone)',
    'extras: tmux 1 -> (gone)',
  ])
})

test('npm packages and artifacts', (t) => {
  const [x] = lock.npm.ssb ?? []
  const after = {
    ...lock,
    npm: { ssb: x ? [{ ...x, version: '2.1.0', sha256: hashBytes('y') }] : [] },
    artifacts: {},
  }
  t.deepEqual(diffLocks(lock, after).map(formatChange), [
    'ssb (npm): x 2.0.0 -> 2.1.0',
    `web (artifact): logo ${hashBytes('logo').slice(0, 12)} -> (gone)`,
  ])
})

test('the same version with another content shows', (t) => {
  const rebuilt = { ...deb('nginx'), sha256: hashBytes('other') }
  const after = { ...lock, steps: [...lock.steps.slice(0, 1), { name: 'web', debs: [rebuilt] }] }
  const [change] = diffLocks(lock, after).map(formatChange)
  t.is(change, `web: nginx 1 (${deb('nginx').sha256.slice(0, 8)}) -> 1 (${hashBytes('other').slice(0, 8)})`)
})
