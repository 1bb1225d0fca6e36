import test from 'ava'
import { type ArchiveSource, type DebianRequest, requestDigest, staleReasons } from '../../builder/lock/request.ts'
import { lock, request } from './_lock.ts'

const [base, web] = request.steps
const steps = (...list: (typeof base)[]): DebianRequest['steps'] => list.filter((step) => step !== undefined)

test('the order of packages means nothing', (t) => {
  const reversed = {
    ...request,
    steps: request.steps.map((step) => ({ ...step, packages: [...step.packages].reverse() })),
  }
  t.is(requestDigest(reversed), requestDigest(request))
})

const changed: Readonly<Record<string, DebianRequest>> = {
  'another suite': { ...request, suite: 'forky' },
  'the order of the steps': { ...request, steps: steps(web, base) },
  'recommended packages': { ...request, steps: steps(base && { ...base, recommends: true }, web) },
  'no essential packages': { ...request, steps: steps(base && { ...base, essential: false }, web) },
  'no stage package': { ...request, steps: steps(base, web && { name: web.name, packages: web.packages }) },
  'another extra': { ...request, extras: ['tmux', 'vim'] },
  'packages of another suite': { ...request, packagesFrom: { sid: ['a'] } },
  'the status of a base image': { ...request, status: 'Package: a\n' },
}

for (const [name, asked] of Object.entries(changed)) {
  test(`another digest and a stale lock: ${name}`, (t) => {
    t.not(requestDigest(asked), requestDigest(request))
    t.not(staleReasons(lock, asked).length, 0)
  })
}

test('a lock that answers the request', (t) => {
  t.deepEqual(staleReasons(lock, request), [])
})

test('a lock from before packages came from other suites answers a request for none', (t) => {
  t.is(requestDigest({ ...request, packagesFrom: {} }), requestDigest(request))
})

test('packages of another suite: their order means nothing, their suite has to be locked', (t) => {
  const asked = (...names: string[]) => ({ ...request, packagesFrom: { sid: names } })
  t.is(requestDigest(asked('a', 'b')), requestDigest(asked('b', 'a')))
  t.not(requestDigest(asked('a')), requestDigest(asked('b')))
  t.deepEqual(staleReasons(lock, asked('a')), ['sid: no packages of this suite are locked'])
})

test('no lock', (t) => {
  t.deepEqual(staleReasons(undefined, request), ['nothing has been locked yet'])
})

test('reasons name the packages and stages', (t) => {
  const asked = {
    ...request,
    steps: steps(base && { ...base, packages: ['a', 'c=1.2', 'nginx'] }, { name: 'mesh', packages: ['yggdrasil'] }),
    extras: ['tmux', 'vim'],
  }
  t.deepEqual(staleReasons(lock, asked), [
    'base: c=1.2 is not locked',
    'mesh: this stage is not locked',
    'mesh: yggdrasil is not locked',
    'web: this stage is no longer asked for',
    'extraPackages: vim is not locked',
  ])
})

test('the archives of a base image belong to the request, wherever they are; Debian alone changes nothing', (t) => {
  const request = { suite: 'trixie', architecture: 'armhf', steps: [], extras: [] }
  const source = {
    archive: 'raspi',
    uri: 'http://a.example',
    suite: 'trixie',
    components: ['main'],
    architectures: [],
    keys: ['key'],
  }
  const digestOf = (debian: boolean, others: readonly ArchiveSource[]) =>
    requestDigest({ ...request, sources: { debian, others } })
  t.is(digestOf(true, []), requestDigest(request))
  const own = digestOf(true, [source])
  t.not(own, requestDigest(request))
  t.is(digestOf(true, [{ ...source, uri: 'http://b.example' }]), own)
  t.not(digestOf(false, [source]), own)
  t.is(requestDigest({ ...request, foreignArchitectures: [] }), requestDigest(request))
  t.not(requestDigest({ ...request, foreignArchitectures: ['arm64'] }), requestDigest(request))
  for (const change of [
    { archive: 'x' },
    { suite: 'forky' },
    { components: ['rpi'] },
    { architectures: ['armhf'] },
    { keys: ['other'] },
  ]) {
    t.not(digestOf(true, [{ ...source, ...change }]), own)
  }
})
