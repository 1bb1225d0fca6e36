import test from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { fetchDebian } from '../../builder/fetch/relock.ts'
import { fetchTools, toolsRequestDigest } from '../../builder/fetch/tools.ts'
import { type DebianRequest, requestDigest } from '../../builder/lock/request.ts'
import type { Lock, LockedDeb, ToolsLock } from '../../builder/lock/schema.ts'
import { fakeSource } from './_source.ts'

const deb = (name: string): LockedDeb => ({
  name,
  version: '1',
  architecture: 'arm64',
  path: `pool/${name}.deb`,
  archive: 'main',
  sizeBytes: 1,
  sha256: hashBytes(name),
})
const request: DebianRequest = {
  suite: 'trixie',
  architecture: 'arm64',
  steps: [{ name: 'base', packages: ['a'] }],
  extras: [],
}
const lock: Lock = {
  version: 1,
  profile: 'p',
  suite: 'trixie',
  architecture: 'arm64',
  request: requestDigest(request),
  time: '2026-09-12T07:55:41.000Z',
  indexes: [],
  steps: [{ name: 'base', debs: [deb('a'), deb('b')] }],
  extras: [deb('c')],
  npm: {},
  artifacts: {},
}

const context = (source: ReturnType<typeof fakeSource>['source'], events: PibakeEvent[] = []) => ({
  source,
  mirrors: async () => ({ main: 'http://m/debian', security: undefined }),
  now: new Date('2026-10-01T00:00:00Z'),
  emit: (event: PibakeEvent) => events.push(event),
})
const resolving = {
  profile: 'p',
  tools: () => Promise.reject(new Error('tools were asked for')),
  scratch: '/nonexistent',
}

test('a lock that fits and is in the cache touches nothing', async (t) => {
  const { source, calls } = fakeSource({ cached: ['a', 'b', 'c'].map((name) => hashBytes(name)) })
  const fetched = await fetchDebian({
    ...context(source),
    ...resolving,
    mirrors: () => Promise.reject(new Error('mirrors were asked for')),
    request,
    lock,
  })
  t.is(fetched.lock, lock)
  t.deepEqual(calls, { read: [], brought: [], urls: [] })
})

test('a lock that fits brings what is missing and resolves nothing', async (t) => {
  const { source, calls } = fakeSource({ cached: [hashBytes('b')] })
  const fetched = await fetchDebian({ ...context(source), ...resolving, request, lock })
  t.is(fetched.lock, lock)
  t.deepEqual(calls.brought, ['a 1', 'c 1'])
  t.deepEqual(calls.read, [])
})

test('frozen: a lock that does not fit is stale, naming what is not locked', async (t) => {
  const { source, calls } = fakeSource({})
  const asked = {
    ...request,
    steps: [
      { name: 'base', packages: ['a', 'new'] },
      { name: 'web', packages: ['nginx'] },
    ],
  }
  const work = fetchDebian({ ...context(source), ...resolving, frozen: true, request: asked, lock })
  const error = await t.throwsAsync(work, { instanceOf: PibakeError })
  t.is(error?.code, 'LOCK_STALE')
  t.deepEqual(error?.details, ['base: new is not locked', 'web: this stage is not locked', 'web: nginx is not locked'])
  t.deepEqual(calls.brought, [])
})

test('frozen: all packages that the mirror has dropped are listed', async (t) => {
  const { source } = fakeSource({ gone: [hashBytes('a'), hashBytes('c')] })
  const work = fetchDebian({ ...context(source), ...resolving, frozen: true, request, lock })
  const error = await t.throwsAsync(work, { instanceOf: PibakeError })
  t.is(error?.code, 'LOCK_STALE')
  t.deepEqual(error?.details, ['the mirror no longer has pool/a.deb', 'the mirror no longer has pool/c.deb'])
})

test('a dropped package is named, then everything is locked anew', async (t) => {
  const { source, calls } = fakeSource({ gone: [hashBytes('a')] })
  const events: PibakeEvent[] = []
  const work = fetchDebian({ ...context(source, events), ...resolving, request, lock })
  const error = await t.throwsAsync(work, { instanceOf: PibakeError })
  t.is(error?.code, 'NETWORK', 'this mirror has no suite to resolve from')
  t.true(calls.read.includes('http://m/debian/dists/trixie/InRelease'))
  t.true(events.some((event) => event.type === 'notice' && event.message.includes('pool/a.deb')))
})

const toolsRequest = { suite: 'trixie', architecture: 'amd64', packages: ['x'] }
const toolsLock: ToolsLock = {
  version: 1,
  suite: 'trixie',
  architecture: 'amd64',
  request: toolsRequestDigest(toolsRequest),
  time: lock.time,
  indexes: [],
  first: [],
  debs: [deb('x')],
}

test('a tools lock that fits is brought, not walked anew', async (t) => {
  const { source, calls } = fakeSource({})
  const fetched = await fetchTools({ ...context(source), request: toolsRequest, lock: toolsLock })
  t.is(fetched.lock, toolsLock)
  t.deepEqual(calls.urls, ['http://m/debian/pool/x.deb'])
  t.deepEqual(calls.read, [])
})

test('frozen: a tools lock for another list is stale', async (t) => {
  const { source } = fakeSource({})
  const asked = { ...toolsRequest, packages: ['x', 'y'] }
  const work = fetchTools({ ...context(source), frozen: true, request: asked, lock: toolsLock })
  t.is((await t.throwsAsync(work, { instanceOf: PibakeError }))?.code, 'LOCK_STALE')
})
