import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Context } from '../../builder/cli/context.ts'
import { parseCommandLine } from '../../builder/cli/parse.ts'
import { renderServed } from '../../builder/cli/serve.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { plainly } from '../../builder/report/style.ts'
import { makeProject, profileYaml, stageYaml } from '../profile/_project.ts'

/** Run a command line in a small checkout with the profile `hub`, which is not locked. */
const run = async (t: ExecutionContext, words: readonly string[]) => {
  const project = await makeProject(t, {
    'package.json': '{"version":"1.2.3"}',
    'stages/web/stage.yaml': stageYaml('web'),
    'stages/profiles/hub.yaml': profileYaml('hub', 'stages: [web]'),
  })
  const key = words[0] === 'cache' ? [] : ['--key', join(project.root, 'key.asc')]
  const parsed = await parseCommandLine([...words, ...key], { version: '1.2.3', width: 80 })
  if (parsed.kind !== 'run') throw new Error('nothing to run')
  const context: Context = {
    project,
    emit: () => {},
    signal: new AbortController().signal,
    options: parsed.globals,
    isOffline: true,
    continueOffline: () => Promise.reject(new Error('not asked for')),
    terminal: { input: process.stdin, output: process.stdout },
  }
  return { project, result: parsed.command.run(parsed.args, context) }
}

for (const [words, code, message] of [
  [['deb'], 'USAGE', /nothing to put/],
  [['deb', 'web'], 'USAGE', /settings of a profile/],
  [['deb', 'wep', '--profile', 'hub'], 'UNKNOWN_NAME', /no stage `wep`/],
  [['deb', '--profile', 'hub'], 'LOCK_STALE', /`hub`/],
  [['deb', '--profile', 'hub', '--uri', 'mill'], 'USAGE', /no address/],
  [['deb', '--add', '/nonexistent'], 'USAGE', /not there/],
  [['serve', '--port', '70000'], 'USAGE', /not a port/],
  [['cache', 'export'], 'USAGE', /needs a file or a folder/],
  [['cache', 'import'], 'USAGE', /needs a file or a folder/],
  [['cache', 'export', 'x.asar', '--profile', 'hub'], 'LOCK_STALE', /`hub`/],
  [['cache', 'verify', 'x'], 'USAGE', /means nothing/],
] as const) {
  test(`wrong use is told before anything is written: ${words.join(' ')}`, async (t) => {
    const { project, result } = await run(t, words)
    const error = await t.throwsAsync(result, { instanceOf: PibakeError, code })
    t.regex(error?.message ?? '', message)
    t.deepEqual((await readdir(project.root)).sort(), ['package.json', 'stages'])
  })
}

test('who fetched what is a table, and nobody is said in words', (t) => {
  const served = { addresses: [], durationMs: 60_000, requests: 3, sentBytes: 2_000_000, refused: { 'Bad Request': 2 } }
  const visitor = {
    ...{ address: '192.168.1.7', programs: ['apt'], requests: 3, sentBytes: 2_000_000, refused: 1 },
    files: { 'Debian packages': 2 },
  }
  t.deepEqual(renderServed({ ...served, visitors: [visitor] }, plainly), [
    '192.168.1.7  2.0 MB  2 × Debian packages  apt',
    '',
    '3 requests, 2.0 MB in 1 min 00 s.',
    'Turned away: 2 × Bad Request.',
  ])
  t.deepEqual(renderServed({ ...served, visitors: [] }, plainly), ['Nobody came in 1 min 00 s.'])
})
