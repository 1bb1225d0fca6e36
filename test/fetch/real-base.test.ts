import { open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { createMessage, generateKey, sign } from 'openpgp'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { hashBytes, hashFile } from '../../builder/core/digest.ts'
import type { PibakeError } from '../../builder/core/error.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { fetchBase } from '../../builder/fetch/base.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { openBase } from '../../builder/image/base.ts'
import type { LockedBase } from '../../builder/lock/schema.ts'
import { type ImageBase, readBase } from '../../builder/profile/base.ts'
import { scratch } from '../support/scratch.ts'
import { damageExt4, damageFat, debianFiles, makeSmallImage, smallPartitions } from '../support/small-image.ts'
import { tools } from '../support/tools.ts'
import { sendRange, serve } from './server.ts'

const name = 'raspios-lite-arm64'
const [publisher, stranger] = await Promise.all(
  ['Publisher', 'Stranger'].map((user) =>
    generateKey({ type: 'ecc', userIDs: [{ name: user }], format: 'object', date: new Date('2026-01-01') }),
  ),
)

const signWith = async (data: Buffer, key = publisher): Promise<Buffer> => {
  if (!key) throw new Error('no key')
  const message = await createMessage({ binary: data })
  return Buffer.from(
    (await sign({ message, signingKeys: key.privateKey, detached: true, format: 'binary' })) as Uint8Array,
  )
}

const packed = async (image: string): Promise<Buffer> => {
  await runTool(tools, ['xz', '--keep', '-0', image], { writable: [join(image, '..')] })
  return readFile(`${image}.xz`)
}

const place = '/raspios_lite_arm64/images/raspios_lite_arm64-2026-01-02/2026-01-01-raspios-trixie-arm64-lite.img.xz'

/**
 * A publisher: a catalogue of one image, the archive, and its signature, any of which may be changed before it is asked for.
 * `damage` changes the image before it is packed, signed and catalogued.
 */
const publish = async (
  t: ExecutionContext,
  options: Parameters<typeof makeSmallImage>[1] & { damage?: (image: string) => Promise<unknown> } = {},
) => {
  const folder = await scratch(t)
  const image = await makeSmallImage(folder, options)
  await options.damage?.(image)
  const archive = await packed(image)
  const entry: Record<string, unknown> = {
    name: 'Look-alike of Raspberry Pi OS Lite (64-bit)',
    release_date: '2026-01-02',
    devices: ['pi4-64bit', 'pi3-64bit'],
    init_format: 'cloudinit-rpi',
    extract_size: (await stat(image)).size,
    extract_sha256: await hashFile(image),
    image_download_size: archive.length,
    image_download_sha256: hashBytes(archive),
  }
  const files: Record<string, Buffer | undefined> = { [place]: archive, [`${place}.sig`]: await signWith(archive) }
  const server = await serve(t, (request, response) => {
    const content = files[request.url ?? '']
    if (content) sendRange(request, response, content)
    else response.writeHead(404).end()
  })
  const address = `${server.address}${place}`
  const list = () => Buffer.from(JSON.stringify({ os_list: [{ ...entry, url: address }] }))
  const keys = join(folder, 'keys.asc')
  await writeFile(keys, publisher?.publicKey.armor() ?? '')
  const cache = join(folder, 'cache')
  const events: PibakeEvent[] = []
  const blobs = openBlobs(cache)
  const signal = new AbortController().signal
  const emit = (event: PibakeEvent): void => void events.push(event)
  const fetchIt = async (
    what: ImageBase,
    change: { locked?: LockedBase; frozen?: boolean; refresh?: boolean } = {},
  ) => {
    files['/os.json'] = list()
    process.env.PIBAKE_CATALOGUE = `${server.address}/os.json`
    process.env.PIBAKE_BASE_KEYS = keys
    return fetchBase(what, {
      profile: { name: 'hut', suite: 'trixie', architecture: 'arm64' },
      ...{ locked: undefined, frozen: false, refresh: false, blobs, tools, scratch: join(folder, 'work') },
      ...{ emit, signal, ...change },
    })
  }
  const openIt = (what: ImageBase, locked: LockedBase) =>
    openBase(what, locked, { blobs, tools: async () => tools, emit, signal })
  return {
    folder,
    image,
    archive,
    entry,
    files,
    address,
    requests: server.requests,
    cache,
    blobs,
    events,
    fetchIt,
    openIt,
  }
}

const named = (text: string, folder = '/'): ImageBase => {
  const base = readBase(text, { folder, checkout: folder })
  if (base.kind === 'debian') throw new Error('no image')
  return base
}

const filesBelow = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name)
}

test.serial(
  'by name: catalogue, download, signature, checks; locked, and never fetched or unpacked twice',
  async (t) => {
    const { fetchIt, openIt, archive, image, entry, address, requests, events, cache } = await publish(t)
    const { locked, packages } = await fetchIt(named(name))
    const [archiveSha256, imageSha256] = [hashBytes(archive), await hashFile(image)]
    t.deepEqual(locked, {
      name,
      url: address,
      release: '2026-01-02',
      signedBy: publisher?.publicKey.getFingerprint().toUpperCase() ?? '',
      archive: { sha256: archiveSha256, sizeBytes: archive.length },
      image: { sha256: imageSha256, sizeBytes: Number(entry.extract_size) },
      imager: { devices: ['pi3-64bit', 'pi4-64bit'], initFormat: 'cloudinit-rpi' },
    })
    t.true(packages.status.includes('Package: dpkg\n'))
    t.deepEqual(requests, ['/os.json', place, `${place}.sig`])
    const titles = events.flatMap((event) => (event.type === 'step-start' ? [event.title.split(' ')[0]] : []))
    t.deepEqual(titles, ['Download', 'Verify', 'Unpack', 'Check'])

    t.deepEqual((await fetchIt(named(name), { locked, frozen: true })).locked, locked)
    t.is(requests.length, 3)
    const opened = await openIt(named(name), locked)
    t.is(opened.sha256, imageSha256)
    t.true(opened.path.startsWith(cache))
    t.true((await stat(opened.path)).blocks * 512 < Number(entry.extract_size) / 4, 'it is sparse')
    t.is(events.filter((event) => event.type === 'step-start' && event.title.startsWith('Unpack')).length, 1)

    await rm(join(cache, 'blobs'), { recursive: true })
    await t.throwsAsync(openIt(named(name), locked), { code: 'MISSING_OFFLINE', message: /raspios-lite-arm64/ })
    await fetchIt(named(name), { locked })
    t.deepEqual(requests.slice(3), [place])
  },
)

test.serial('by address and by path, compressed or not; a file is used where it is', async (t) => {
  const { fetchIt, openIt, archive, image, address, files, folder, cache, requests, events } = await publish(t)
  files[`${place}.sha256`] = Buffer.from(`${hashBytes(archive)}  x.img.xz\n`)
  const { locked } = await fetchIt(named(address))
  t.deepEqual([locked.name, locked.url, locked.archive.sha256], [address, address, hashBytes(archive)])
  t.true(requests.includes(`${place}.sha256`))

  files[`${place}.sig`] = undefined
  await rm(cache, { recursive: true })
  t.is((await fetchIt(named(address))).locked.signedBy, undefined)
  t.true(events.some((event) => event.type === 'notice' && event.message.includes('without a signature')))
  files[`${place}.sha256`] = Buffer.from(`${'0'.repeat(64)}  x.img.xz\n`)
  await rm(cache, { recursive: true })
  await t.throwsAsync(fetchIt(named(address)), { code: 'DOWNLOAD_CORRUPT' })

  await writeFile(join(folder, 'own.img.gz'), gzipSync(await readFile(image)))
  const own = await fetchIt(named('own.img.gz', folder))
  t.deepEqual([own.locked.name, own.locked.url], ['own.img.gz', undefined])
  t.is(String(own.locked.image.sha256), String(await hashFile(image)))
  const plain = await fetchIt(named('pi.img', folder))
  t.deepEqual(plain.locked.archive, plain.locked.image)
  t.is((await openIt(named('pi.img', folder), plain.locked)).path, image)
  t.deepEqual(await filesBelow(join(cache, 'blobs')), [])

  {
    await using file = await open(image, 'r+')
    await file.write('changed', 400)
  }
  await t.throwsAsync(openIt(named('pi.img', folder), plain.locked), { code: 'LOCK_STALE' })
  await t.throwsAsync(fetchIt(named('pi.img', folder), { locked: plain.locked, frozen: true }), { code: 'LOCK_STALE' })
})

type Published = Awaited<ReturnType<typeof publish>>

/** What is refused: an image that is made otherwise, or what is changed of a publisher's files. */
interface Refusal {
  title: string
  code: PibakeError['code']
  message: RegExp
  hint: RegExp
  image?: Parameters<typeof publish>[1]
  change?: (published: Published) => unknown
}

const untrusted = { code: 'SIGNATURE_INVALID', hint: /Do not use the image unless you know why/ } as const
const corrupt = { code: 'DOWNLOAD_CORRUPT', hint: /Try again later, or name .* another release/ } as const
const invalid = { code: 'IMAGE_INVALID' } as const
const otherPartitions = { ...invalid, hint: /a FAT boot partition, then an ext4 root partition/ }
const withErrors = { ...invalid, hint: /Take a fresh copy of the image/ }

const [first, second] = smallPartitions
if (!first || !second) throw new Error('no partitions')
const refusals: Refusal[] = [
  {
    title: 'a signature by another key',
    ...untrusted,
    message: /by the key [0-9A-F]{16}, which is not trusted/,
    change: async ({ files, archive }) => {
      files[`${place}.sig`] = await signWith(archive, stranger)
    },
  },
  {
    title: 'a signature of another archive',
    ...untrusted,
    message: /another content/,
    change: async ({ files }) => {
      files[`${place}.sig`] = await signWith(Buffer.from('another'))
    },
  },
  {
    title: 'another sha256 than that of the catalogue',
    ...corrupt,
    message: /has the sha256 [0-9a-f]{64} instead of 0{64}/,
    change: ({ entry }) => {
      entry.image_download_sha256 = '0'.repeat(64)
    },
  },
  {
    title: 'another size than that of the catalogue',
    ...corrupt,
    message: /announces \d+ bytes instead of/,
    change: ({ files, archive }) => {
      files[place] = archive.subarray(0, -1000)
    },
  },
  {
    title: 'a truncated archive',
    ...invalid,
    message: /is damaged or cut off/,
    hint: /Fetch it again, and compare its size and SHA-256/,
    change: async ({ files, archive, entry }) => {
      const cut = archive.subarray(0, -1000)
      files[place] = cut
      files[`${place}.sig`] = await signWith(cut)
      for (const key of ['image_download_size', 'image_download_sha256']) delete entry[key]
    },
  },
  {
    title: 'another image than that of the catalogue',
    ...corrupt,
    message: /does not unpack to the image/,
    change: ({ entry }) => {
      entry.extract_sha256 = '0'.repeat(64)
    },
  },
  {
    title: 'an image of one partition',
    ...otherPartitions,
    message: /it has one partition, not a boot and a root/,
    image: { partitions: [first] },
  },
  {
    title: 'an image of three partitions',
    ...otherPartitions,
    message: /it has 3 partitions/,
    image: {
      partitions: [
        first,
        { ...second, sectors: 2048 },
        { ...second, number: 3, startSector: second.startSector + 2048, sectors: 2048 },
      ],
    },
  },
  {
    title: 'an image of overlapping partitions',
    ...otherPartitions,
    message: /has overlapping partitions 1 and 2/,
    image: { partitions: [{ ...first, sectors: first.sectors + 8 }, second] },
  },
  {
    title: 'an image with errors in its FAT',
    ...withErrors,
    message: /has errors in its boot file system \(partition 1, FAT\)/,
    image: { damage: damageFat },
  },
  {
    title: 'an image with errors in its ext4',
    ...withErrors,
    message: /has errors in its root file system \(partition 2, ext4\)/,
    image: { damage: damageExt4 },
  },
  {
    title: 'an image for another processor',
    ...invalid,
    message: /is an image for armhf; `hut` is baked for arm64/,
    hint: /an image for arm64, or say `architecture: armhf`/,
    image: { files: debianFiles({ architecture: 'armhf' }) },
  },
  {
    title: 'an image of another release',
    ...invalid,
    message: /is bookworm, but `hut` is baked for trixie/,
    hint: /Say `suite: bookworm`/,
    image: { files: debianFiles({ codename: 'bookworm' }) },
  },
  {
    title: 'an image without Debian',
    ...invalid,
    message: /holds no Debian/,
    hint: /made of Debian packages/,
    image: { files: { 'etc/hostname': 'x\n' } },
  },
]

for (const { title, code, message, hint, image, change } of refusals) {
  test.serial(`refused, and nothing of it is kept: ${title}`, async (t) => {
    const published = await publish(t, image)
    await change?.(published)
    const error = (await t.throwsAsync(published.fetchIt(named(name)), { code, message })) as PibakeError
    t.true(error.message.includes(`\`${name}\``), error.message)
    t.regex(error.hint, hint)
    const { cache, archive } = published
    t.false((await filesBelow(join(cache, 'blobs'))).includes(hashBytes(archive)))
    t.deepEqual(await filesBelow(join(cache, 'derived')), [])
    t.deepEqual(await filesBelow(join(cache, 'work')), [])
  })
}

test.serial('refused: a file with errors, and one that is not there, by the name that was given', async (t) => {
  const { fetchIt, image, folder } = await publish(t)
  await damageFat(image)
  await t.throwsAsync(fetchIt(named('pi.img', folder)), {
    code: 'IMAGE_INVALID',
    message: '`pi.img` has errors in its boot file system (partition 1, FAT).',
  })
  await t.throwsAsync(fetchIt(named('absent.img', folder)), { code: 'IMAGE_INVALID', message: /ENOENT/ })
})
