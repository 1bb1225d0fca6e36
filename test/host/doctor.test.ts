import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { projectAt } from '../../builder/core/project.ts'
import { probeDisk, probeRoot } from '../../builder/host/capabilities.ts'
import { examineHost } from '../../builder/host/doctor.ts'

test('root or not', (t) => {
  t.like(probeRoot(0), { state: 'ok' })
  t.like(probeRoot(1000), {
    state: 'fail',
    found: 'no, user 1000',
    fix: 'Run pibake with `sudo`; it mounts and makes namespaces.',
  })
})

test('disk space is measured where the checkout is', async (t) => {
  t.regex((await probeDisk('/')).found, /^[\d.]+ [kMGT]?B free$/)
  t.like(await probeDisk('/proc'), { state: 'fail', found: '0 B free' })
})

test('every capability is tried, and says what to do when it is missing', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'pibake-test-'))
  t.teardown(() => rm(root, { recursive: true, force: true }))
  const asked: string[] = []
  const probes = await examineHost({
    project: projectAt(root),
    reachable: [
      { name: 'mirror', url: 'http://a.invalid/x', fix: 'mend' },
      { name: 'registry', url: undefined, fix: 'name one' },
    ],
    ask: async (url) => {
      asked.push(url)
      return 'no route'
    },
  })
  const names = [
    'Linux',
    'root',
    'overlayfs',
    'loop devices',
    'user namespaces',
    'private binfmt_misc',
    'disk space',
    'memory',
    'mirror',
    'registry',
    'KVM',
  ]
  t.deepEqual(
    probes.map(({ name }) => name),
    names,
  )
  t.deepEqual(asked, ['http://a.invalid/x'])
  t.like(probes[8], { state: 'warn', found: 'http://a.invalid/x: no route', fix: 'mend' })
  t.like(probes[9], { state: 'warn', found: 'none is known', fix: 'name one' })
  for (const { name, state, found, fix } of probes) {
    t.true(found !== '', name)
    t.is(fix === '', state === 'ok', name)
  }
})
