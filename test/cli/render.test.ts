import test from 'ava'
import { renderProbes } from '../../builder/cli/doctor.ts'
import { renderPlan } from '../../builder/cli/plan.ts'
import { parseForward } from '../../builder/cli/run.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { plainly } from '../../builder/report/style.ts'

const step = { title: '', inputs: [], key: hashBytes('key') }

test('a plan as a table', (t) => {
  const steps = [
    { ...step, id: 'base', action: 'cached' as const, why: 'nothing changed', expectedMs: 27_000 },
    { ...step, id: 'ssb-pub', action: 'run' as const, why: 'changed: npm tree', expectedMs: 2700 },
  ]
  const missing = [{ label: 'x', sha256: hashBytes('x'), sizeBytes: 1_500_000 }]
  t.deepEqual(renderPlan({ steps, missing }, plainly), [
    'cached  base     nothing changed',
    'run     ssb-pub  changed: npm tree  took 2.7 s',
    '',
    '1 of 2 steps to run, about 2.7 s.',
    '1 items to download, 1.5 MB.',
  ])
})

test('no time is promised when one of the steps never ran', (t) => {
  const steps = [{ ...step, id: 'base', action: 'run' as const, why: 'never run before', expectedMs: undefined }]
  t.deepEqual(renderPlan({ steps, missing: [] }, plainly).slice(-2), ['1 of 1 steps to run.', 'Nothing to download.'])
})

test('findings of the doctor, each with its fix', (t) => {
  const lines = renderProbes(
    [
      { name: 'root', state: 'fail', found: 'no, user 1000', fix: 'Use `sudo`.' },
      { name: 'overlayfs', state: 'ok', found: 'yes', fix: '' },
      { name: 'memory', state: 'warn', found: '1 GB', fix: 'Add some.' },
    ],
    plainly,
  )
  t.deepEqual(lines, [
    '✗  root       no, user 1000',
    '   → Use `sudo`.',
    '✓  overlayfs  yes',
    '!  memory     1 GB',
    '   → Add some.',
    '',
    'Missing: root.',
  ])
})

test('a forwarded port', (t) => {
  t.deepEqual(parseForward('8080:80'), { host: 8080, guest: 80 })
  for (const wrong of ['80', '8080:', 'a:80', '0:80', '80:65536', '1:2:3']) {
    t.is(t.throws(() => parseForward(wrong), { instanceOf: PibakeError })?.code, 'USAGE', wrong)
  }
})
