import test from 'ava'
import { allowTime, collectChecks, parseStageChecks, runChecks } from '../../builder/boot/checks.ts'
import { escapeXml, renderJunit } from '../../builder/boot/junit.ts'
import { createKeyFilter } from '../../builder/boot/keys.ts'
import { requirePassed, type TestReport } from '../../builder/boot/report.ts'
import { renderTable } from '../../builder/boot/table.ts'
import { renderTap } from '../../builder/boot/tap.ts'
import { PibakeError } from '../../builder/core/error.ts'

const report: TestReport = {
  image: 'images/pub.img',
  board: 'virt',
  bootMs: 31_400,
  checks: [
    { stage: 'system', name: 'running', title: 'is running', outcome: 'passed', durationMs: 120, output: 'running' },
    {
      stage: 'portal',
      name: 'http',
      title: 'answers #1',
      outcome: 'failed',
      durationMs: 2000,
      output: 'a < b\n& c\x1b',
    },
  ],
}

test('the table', (t) => {
  t.is(
    renderTable(report),
    [
      'ok      system  is running  120 ms',
      'FAILED  portal  answers #1   2.0 s',
      '1 of 2 checks failed; booted in 31.4 s on virt',
    ].join('\n'),
  )
})

test('the table says what the services hold of memory', (t) => {
  const output = '0.4 GB of 1.0 GB in use\n  98.1 MB   20.0 MB  pibake-ssb-pub.service'
  const checks = [{ ...report.checks[0], name: 'memory', output }] as TestReport['checks']
  const lines = renderTable({ ...report, checks }).split('\n')
  t.deepEqual(lines.slice(1), ['', ...output.split('\n'), '', 'all 1 checks passed; booted in 31.4 s on virt'])
})

test('the table of a lab says how many nodes there were', (t) => {
  const nodes = ['a', 'b'].map((name, index) => ({ name, portal: 'http://127.0.0.1:1/', sshPort: index }))
  t.regex(renderTable({ ...report, nodes }), /; 2 nodes booted in 31\.4 s on virt$/)
})

const skipping: TestReport = {
  ...report,
  checks: report.checks.map((check) => (check.name === 'http' ? { ...check, outcome: 'skipped' } : check)),
}

test('a skipped check is no failure, and no success either', (t) => {
  t.is(
    renderTable(skipping),
    [
      'ok       system  is running  120 ms',
      'skipped  portal  answers #1   2.0 s',
      'all 1 checks passed, 1 skipped; booted in 31.4 s on virt',
    ].join('\n'),
  )
  t.true(renderTap(skipping).split('\n').includes('ok 2 - portal: answers \\#1 # SKIP'))
  t.regex(renderJunit(skipping), /tests="2" failures="0" errors="0" skipped="1"/)
  t.true(renderJunit(skipping).includes('<skipped message="a &lt; b\n&amp; c\uFFFD"/>'))
  t.notThrows(() => requirePassed(skipping))
})

test('TAP: plan, escaped directive, diagnostics of a failure', (t) => {
  const lines = renderTap(report).split('\n')
  t.deepEqual(lines.slice(0, 3), ['TAP version 14', '1..2', 'ok 1 - system: is running'])
  t.true(lines.includes('not ok 2 - portal: answers \\#1'))
  t.true(lines.includes('    a < b'))
})

test('JUnit: a suite a stage, totals, escaped output', (t) => {
  const xml = renderJunit(report)
  t.regex(xml, /<testsuites name="images\/pub\.img on virt" tests="2" failures="1"/)
  t.regex(xml, /<testsuite name="portal" tests="1" failures="1" errors="0" skipped="0" time="2\.000">/)
  t.true(xml.includes('>a &lt; b\n&amp; c\uFFFD</failure>'))
})

test('XML text holds only what XML 1.0 allows', (t) => {
  t.is(escapeXml('"\'<&>\x00\ud800ü\u{1f600}'), '&quot;&apos;&lt;&amp;&gt;\uFFFD\uFFFDü\u{1f600}')
})

test('failed checks end in CHECKS_FAILED with their output', (t) => {
  const error = t.throws(() => requirePassed(report), { instanceOf: PibakeError })
  t.is(error?.code, 'CHECKS_FAILED')
  t.deepEqual(error?.details.slice(0, 2), ['portal: answers #1', '  a < b'])
  t.notThrows(() => requirePassed({ ...report, checks: report.checks.slice(0, 1) }))
})

test('the checks a stage declares', (t) => {
  const json = JSON.stringify({
    name: 'ssb',
    checks: [{ name: 'up', title: 'is up', path: "/usr/lib/it's", timeoutSeconds: 30 }],
  })
  t.deepEqual(parseStageChecks(json), [
    { stage: 'ssb', name: 'up', title: 'is up', script: `exec '/usr/lib/it'\\''s'`, timeoutMs: 30_000 },
  ])
  t.deepEqual(parseStageChecks('{"name":"plain"}'), [])
  t.is(t.throws(() => parseStageChecks('{"name":1}'), { instanceOf: PibakeError })?.code, 'IMAGE_INVALID')
})

test('what to ask: the checks of pibake, those of the stages, and the purge', async (t) => {
  const stage = JSON.stringify({ name: 'a', checks: [{ name: 'up', title: 'is up', path: '/up', timeoutSeconds: 9 }] })
  const run = async (script: string) => ({
    output: script.includes('base64') ? Buffer.from(stage).toString('base64') : 'installed',
    exitCode: 0,
    timedOut: false,
  })
  const names = (await collectChecks({ run })).map((check) => `${check.stage}/${check.name}`)
  t.deepEqual(names.slice(-3), ['a/up', 'system/memory', 'system/purge'])
  t.true(names.includes('system/unmodified'))
})

test('half a list of checks is not put to the guest', async (t) => {
  const run = async () => ({ output: 'e30=', exitCode: 124, timedOut: true })
  const error = await t.throwsAsync(collectChecks({ run }), { instanceOf: PibakeError })
  t.is(error?.code, 'BOOT_FAILED')
  t.regex(error?.message ?? '', /which checks its stages declare/)
})

test('a slower board is allowed more time, and a time-out says how much it was', async (t) => {
  const check = { stage: 's', name: 'slow', title: 'is slow', script: 'slow', timeoutMs: 5000 }
  const limits: unknown[] = []
  const run = async (script: string, options?: { timeoutMs?: number }) => {
    if (script === 'slow') limits.push(options?.timeoutMs)
    return { output: '', exitCode: 124, timedOut: true }
  }
  const [result] = await runChecks({ run }, allowTime([check], 4), { id: 'checks', emit: () => {} })
  t.deepEqual(limits, [20_000])
  t.is(result?.output, '(did not end within 20 s)')
  t.is(check.timeoutMs, 5000)
})

test('outcomes, and journals only after a failure', async (t) => {
  const asked: string[] = []
  const answers = new Map([
    ['good', { output: 'fine', exitCode: 0, timedOut: false }],
    ['bad', { output: 'broken', exitCode: 3, timedOut: false }],
    ['slow', { output: '', exitCode: 124, timedOut: true }],
    ['absent', { output: 'no such program here', exitCode: 77, timedOut: false }],
  ])
  const run = async (script: string) => {
    asked.push(script)
    return answers.get(script) ?? { output: 'the journal', exitCode: 0, timedOut: false }
  }
  const checks = [...answers.keys()].map((name) => ({ stage: 's', name, title: name, script: name, timeoutMs: 5000 }))
  const results = await runChecks({ run }, checks, { id: 'checks', emit: () => {} })
  t.deepEqual(
    results.map(({ outcome }) => outcome),
    ['passed', 'failed', 'timeout', 'skipped'],
  )
  t.is(results[0]?.output, 'fine')
  t.is(results[1]?.output, 'broken\n(ended with status 3)\nthe journal')
  t.is(results[2]?.output, '(did not end within 5 s)\nthe journal')
  t.is(results[3]?.output, 'no such program here')
  t.is(asked.length, 6)
})

test('keys: Ctrl-A X and Ctrl-C quit, Ctrl-A Ctrl-A types one, the rest passes', (t) => {
  let quits = 0
  const filter = createKeyFilter(() => {
    quits += 1
  })
  const type = (text: string): string => Buffer.from(filter(Buffer.from(text))).toString()
  t.is(type('ls\r'), 'ls\r')
  t.is(type('\x01'), '')
  t.is(type('x'), '')
  t.is(quits, 1)
  t.is(type('\x01\x01b'), '\x01b')
  t.is(type('\x01c'), '\x01c')
  t.is(type('a\x03b'), 'ab')
  t.is(quits, 2)
})
