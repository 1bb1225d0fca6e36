import test from 'ava'
import { kit } from '../../builder/cli/kit.ts'
import { chooseTargets } from '../../builder/cli/kit-targets.ts'
import { PibakeError } from '../../builder/core/error.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { projectAt } from '../../builder/core/project.ts'
import { kitPaths } from '../../builder/kit/manifest.ts'
import { plainly } from '../../builder/report/style.ts'
import { makeKey, makeStick } from '../kit/_kit.ts'
import { scratch } from '../support/scratch.ts'

const contextOf = (root: string, stick?: string) => {
  const events: PibakeEvent[] = []
  return {
    events,
    project: projectAt(root, { stick }),
    emit: (event: PibakeEvent): void => void events.push(event),
    signal: new AbortController().signal,
    options: { json: false, verbose: false, yes: false, offline: false, color: false },
    isOffline: true,
    continueOffline: () => Promise.reject(new Error('already there')),
    terminal: { input: process.stdin, output: process.stdout },
  }
}

const defaults = { profile: [], images: true, recheck: false, quick: false }

test('a stick is verified by its folder, or as the one that pibake was started from', async (t) => {
  const key = await makeKey(t)
  const stick = await makeStick(t, key)
  const root = await scratch(t)
  for (const [context, where] of [
    [contextOf(root), ['verify', stick]],
    [contextOf(root, stick), ['verify']],
  ] as const) {
    const { data, lines } = await kit.run({ ...defaults, where }, context)
    t.like(data, { folder: stick, fingerprint: key.fingerprint, profiles: ['pub'], strangers: [] })
    t.regex(lines?.(plainly).join('\n') ?? '', /^Whole: 7 files \(.*Bakes pub\.\nSigned by .*compare it with/s)
  }
})

test('with the key of its makers as a file, it is said no more that it is to be compared', async (t) => {
  const stick = await makeStick(t, await makeKey(t))
  const args = { ...defaults, where: ['verify', stick], key: `${stick}/${kitPaths.key}` }
  const { lines } = await kit.run(args, contextOf(await scratch(t)))
  t.notRegex(lines?.(plainly).join('\n') ?? '', /compare/)
})

test('a copy tells what it did', async (t) => {
  const stick = await makeStick(t, await makeKey(t))
  const to = await scratch(t)
  const { lines, failure } = await kit.run(
    { ...defaults, where: ['copy', to], from: stick },
    contextOf(await scratch(t)),
  )
  t.is(failure, undefined)
  t.regex(lines?.(plainly)[0] ?? '', new RegExp(`^done +${to} +7 files copied`))
})

for (const [what, where, more] of [
  ['no folder to copy to', ['copy'], { from: '/stick' }],
  ['no kit to verify', ['verify'], {}],
  ['no kit to copy from', ['copy', '/a'], {}],
  ['the same folder twice', ['/a', '/a/'], {}],
  ['a kit onto itself', ['copy', '/stick'], { from: '/stick' }],
] as const) {
  test(`${what}: wrong use`, async (t) => {
    const error = await t.throwsAsync(kit.run({ ...defaults, where, ...more }, contextOf(await scratch(t))), {
      instanceOf: PibakeError,
    })
    t.is(error?.code, 'USAGE')
  })
}

test('a folder where a stick should be mounted, and is not, is warned of', async (t) => {
  const context = contextOf(await scratch(t))
  const elsewhere = await scratch(t)
  await chooseTargets(['/media/pibake-test-none/stick', elsewhere], context)
  t.deepEqual(
    context.events.map((event) => (event.type === 'notice' ? event.message : event.type)),
    ['`/media/pibake-test-none/stick` is on the disk of this machine. Is the stick mounted there?'],
  )
})
