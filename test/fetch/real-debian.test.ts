import { lstat, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { createCleartextMessage, generateKey, readPrivateKey, sign } from 'openpgp'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { openDebianSource } from '../../builder/fetch/debian-source.ts'
import { fetchDebian } from '../../builder/fetch/relock.ts'
import { fetchTools } from '../../builder/fetch/tools.ts'
import { hostArchitecture } from '../../builder/host/architecture.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { firstPackages } from '../../builder/host/tools-packages.ts'
import { inspectTree, isTreeCurrent, readTreePackages, treeKey } from '../../builder/host/tree.ts'
import { allDebs } from '../../builder/lock/debs.ts'
import type { DebianRequest } from '../../builder/lock/request.ts'
import { openToolsTree } from '../../builder/lock/tools-tree.ts'
import { realMirror } from '../support/mirror.ts'
import { serve } from './server.ts'

const found = await realMirror('trixie')
const real = 'mirrors' in found ? test.serial : test.serial.skip
const why = 'reason' in found ? ` (skipped: ${found.reason})` : ''

const folder = await mkdtemp(join(tmpdir(), 'pibake-test-debian-'))
test.after.always(() => rm(folder, { recursive: true, force: true }))

const blobs = openBlobs(join(folder, 'cache'))
const emit = () => {}
const context = {
  source: openDebianSource({ blobs, emit }),
  mirrors: async () => ('mirrors' in found ? found.mirrors : { main: '', security: undefined }),
  now: new Date(),
  emit,
}
const architecture = hostArchitecture()
const request = {
  suite: 'trixie',
  architecture,
  packages: [...firstPackages, 'apt', 'base-files', 'bash', 'coreutils', 'dpkg', 'mawk', 'passwd', 'sqv'],
}
const destination = join(folder, 'tree')

const fetchTree = async () => {
  const { lock } = await fetchTools({ ...context, request, lock: undefined })
  const tools = await openToolsTree({ lock, destination, blobs, emit })
  return { lock, tools }
}

real(`a tools tree unpacks itself and runs${why}`, async (t) => {
  const { lock, tools } = await fetchTree()
  t.true(await isTreeCurrent(destination, treeKey(lock.debs)))
  t.regex((await runTool(tools, ['apt-get', '--version'])).stdout, /^apt \d/)
  t.is((await runTool(tools, ['awk', 'BEGIN { print 6 * 7 }'])).stdout, '42')

  const packages = await readTreePackages(destination)
  t.deepEqual(Object.keys(packages), lock.debs.map(({ name }) => name).sort())
  t.is(packages.tar?.version, lock.debs.find(({ name }) => name === 'tar')?.version)
  t.true(packages.tar?.files.includes('/usr/bin/tar'))
  t.false(packages.tar?.files.some((path) => path.endsWith('/')))

  t.true((await lstat(join(destination, 'bin'))).isSymbolicLink())
  if (process.getuid?.() === 0) {
    t.is((await stat(join(destination, 'usr/bin/passwd'))).mode & 0o7777, 0o4755)
    t.is((await stat(join(destination, 'usr/bin/passwd'))).uid, 0)
    t.is((await stat(join(destination, 'usr/bin/chage'))).gid, 42)
  }
  const program = join(destination, 'usr/bin/mawk')
  const bytes = await readFile(program)
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
  await writeFile(program, bytes)
  t.is(await inspectTree(destination, treeKey(lock.debs)), 'damaged')
  await openToolsTree({ lock, destination, blobs, emit })
  t.is(await inspectTree(destination, treeKey(lock.debs)), 'current')
})

real(`a tree that is there is not unpacked again; a tree can unpack another${why}`, async (t) => {
  const { lock, tools } = await fetchTree()
  const stamp = join(destination, '.pibake-tree.json')
  const before = (await stat(stamp)).mtimeMs
  await fetchTree()
  t.is((await stat(stamp)).mtimeMs, before)
  const debs = lock.debs.filter(({ name }) => name === 'mawk' || name === 'base-files')
  const second = join(folder, 'second')
  await openToolsTree({
    lock: { ...lock, debs, first: [] },
    destination: second,
    blobs,
    tools,
    emit,
  })
  t.deepEqual(Object.keys(await readTreePackages(second)), ['base-files', 'mawk'])
  t.deepEqual(await readFile(join(second, 'usr/bin/mawk')), await readFile(join(destination, 'usr/bin/mawk')))
})

const profile: DebianRequest = {
  suite: 'trixie',
  architecture: 'arm64',
  steps: [
    { name: 'base', packages: ['mawk'] },
    { name: 'web', packages: ['netbase'], stagePackage: { name: 'pibake-web', depends: ['netbase'] } },
    { name: 'mesh', packages: ['bash'], stagePackage: { name: 'pibake-mesh', depends: ['bash', 'pibake-web'] } },
  ],
  extras: ['bash', 'hostname'],
}

real(`apt resolves each step on top of the earlier ones${why}`, async (t) => {
  const { tools } = await fetchTree()
  const resolve = (asked: DebianRequest) =>
    fetchDebian({
      ...context,
      profile: 'p',
      request: asked,
      lock: undefined,
      tools: async () => tools,
      scratch: folder,
    })
  const { lock } = await resolve(profile)
  const names = lock.steps.map(({ debs }) => debs.map(({ name }) => name).sort())
  t.true(names[0]?.includes('libc6') && names[0].includes('mawk'))
  t.deepEqual(names[1], ['netbase'])
  t.true(names[2]?.includes('bash'))
  t.false(names[2]?.includes('libc6'))
  t.deepEqual(
    lock.extras.map(({ name }) => name),
    ['hostname'],
  )
  for (const { architecture: arch } of lock.steps.flatMap(({ debs }) => debs))
    t.true(arch === 'arm64' || arch === 'all')
  t.false(JSON.stringify(lock).includes('://'))
  t.true(await blobs.hasBlob(lock.extras[0]?.sha256 ?? lock.request))

  const unknown = { ...profile, steps: [{ name: 'web', packages: ['netbasee'] }] }
  const error = await t.throwsAsync(resolve(unknown), { instanceOf: PibakeError })
  t.is(error?.code, 'RESOLVE_FAILED')
  t.true(error?.message.includes('`web`') && error.message.includes('`netbasee`'))

  const torn = {
    ...profile,
    steps: [{ name: 'mesh', packages: [], stagePackage: { name: 'pibake-mesh', depends: ['pibake-absent'] } }],
  }
  const missing = await t.throwsAsync(resolve(torn), { instanceOf: PibakeError })
  t.is(missing?.code, 'RESOLVE_FAILED')
  t.true(missing?.details.some((line) => line.includes('pibake-absent')))
})

real(`of another suite the named packages come, and nothing else${why}`, async (t) => {
  const { tools } = await fetchTree()
  const { lock } = await fetchDebian({
    ...context,
    acceptExpired: true,
    profile: 'p',
    request: { ...profile, packagesFrom: { sid: ['netbase'] }, extras: [] },
    lock: undefined,
    tools: async () => tools,
    scratch: folder,
  })
  const debs = lock.steps.flatMap((step) => step.debs)
  t.deepEqual(
    debs.filter(({ suite }) => suite === 'sid').map(({ name }) => name),
    debs.some(({ name, suite }) => name === 'netbase' && suite === undefined) ? [] : ['netbase'],
  )
  t.deepEqual(
    lock.indexes.filter(({ suite }) => suite === 'sid').map(({ archive }) => archive),
    ['main'],
  )
})

real(`a base image's own packages count as installed, and are upgraded only when asked for${why}`, async (t) => {
  const { tools } = await fetchTree()
  const resolve = async (version: string, packages: string[]): Promise<string[]> => {
    const status = `Package: netbase\nStatus: install ok installed\nVersion: ${version}\nArchitecture: all\nMaintainer: x\n`
    const asked = { ...profile, status, steps: [{ name: 'web', packages }], extras: [] }
    const { lock } = await fetchDebian({
      ...context,
      profile: 'p',
      request: asked,
      lock: undefined,
      tools: async () => tools,
      scratch: folder,
    })
    return lock.steps.flatMap(({ debs }) => debs.map(({ name }) => name))
  }
  t.deepEqual(await resolve('0.1', ['netbase']), ['netbase'])
  t.deepEqual(await resolve('99', ['netbase']), [])
  t.false((await resolve('0.1', ['mawk'])).includes('netbase'))
})

/** Bytes as an archive serves them: what stands for a package, the list of packages, and the signed index. */
const vendorFiles = async (): Promise<{ files: Map<string, Buffer>; keys: string[] }> => {
  const date = new Date(context.now.getTime() - 3_600_000)
  const { publicKey, privateKey } = await generateKey({ userIDs: [{ name: 'vendor' }], format: 'armored', date })
  const files = new Map<string, Buffer>()
  const stanza = (name: string, architecture: string, fields: string): string => {
    const content = Buffer.from(`${name} of the vendor`)
    files.set(`/pool/${name}.deb`, content)
    return `Package: ${name}\nVersion: 99+rpt1\nArchitecture: ${architecture}\nMaintainer: x\nDescription: x\nFilename: pool/${name}.deb\nSize: ${content.length}\nSHA256: ${hashBytes(content)}\n${fields}\n`
  }
  const lists = {
    'main/binary-armhf/Packages': `${stanza('netbase', 'all', '')}${stanza('vendor-tool', 'armhf', 'Depends: libc6, vendor-kernel:arm64\n')}`,
    'rpi/binary-arm64/Packages': stanza('vendor-kernel', 'arm64', 'Multi-Arch: foreign\n'),
  }
  let index = `Origin: vendor\nSuite: stable\nCodename: trixie\nDate: ${date.toUTCString().replace('GMT', 'UTC')}\nSHA256:\n`
  for (const [path, text] of Object.entries(lists)) {
    const content = gzipSync(text)
    files.set(`/dists/trixie/${path}.gz`, content)
    // apt wants to know of the list as it is, too.
    index += ` ${hashBytes(text)} ${text.length} ${path}\n ${hashBytes(content)} ${content.length} ${path}.gz\n`
  }
  const message = await createCleartextMessage({ text: index })
  const signed = await sign({ message, signingKeys: await readPrivateKey({ armoredKey: privateKey }), date })
  files.set('/dists/trixie/InRelease', Buffer.from(signed))
  return { files, keys: [publicKey] }
}

real(`packages of an archive that a base image lists, and of its further architecture${why}`, async (t) => {
  const { tools } = await fetchTree()
  const { files, keys } = await vendorFiles()
  const { address } = await serve(t, ({ url }, response) => {
    const content = files.get(url ?? '')
    response.writeHead(content ? 200 : 404).end(content)
  })
  const source = { archive: 'raspi', uri: address, suite: 'trixie', components: ['main', 'rpi'], architectures: [] }
  const { lock } = await fetchDebian({
    ...context,
    // What is asked here is in the main archive; some mirrors of security updates keep old lists of rarer processors.
    mirrors: async () => ({ ...(await context.mirrors()), security: undefined }),
    profile: 'p',
    request: {
      suite: 'trixie',
      architecture: 'armhf',
      foreignArchitectures: ['arm64'],
      sources: { debian: true, others: [{ ...source, keys }] },
      steps: [{ name: 'base', packages: ['netbase', 'vendor-tool', 'mawk'] }],
      extras: [],
    },
    lock: undefined,
    tools: async () => tools,
    scratch: folder,
  })
  const debs = allDebs(lock)
  t.deepEqual(
    debs.filter(({ archive }) => archive === 'raspi').map(({ name, architecture: of, path }) => [name, of, path]),
    [
      ['netbase', 'all', 'pool/netbase.deb'],
      ['vendor-kernel', 'arm64', 'pool/vendor-kernel.deb'],
      ['vendor-tool', 'armhf', 'pool/vendor-tool.deb'],
    ],
  )
  t.is(debs.find(({ name }) => name === 'mawk')?.architecture, 'armhf')
  t.is(debs.find(({ name }) => name === 'mawk')?.archive, 'main')
  t.true(lock.indexes.some(({ archive, suite }) => archive === 'raspi' && suite === 'trixie'))
  t.false(JSON.stringify(lock).includes('127.0.0.1'))
  for (const { sha256, archive } of debs) if (archive === 'raspi') t.true(await blobs.hasBlob(sha256))
})
