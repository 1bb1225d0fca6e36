import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openBlobs } from '../../../builder/cache/blobs.ts'
import { hashFile, hashJson, type Sha256 } from '../../../builder/core/digest.ts'
import { openDebianSource } from '../../../builder/fetch/debian-source.ts'
import { fetchIndexes, readPackageTable } from '../../../builder/fetch/indexes.ts'
import { mountImage, mountLayers } from '../../../builder/host/mount.ts'
import { runTool } from '../../../builder/host/sandbox.ts'
import { makeScratch } from '../../../builder/host/scratch.ts'
import { assembleImage } from '../../../builder/image/assemble.ts'
import { baseLayout } from '../../../builder/image/layout.ts'
import { extractBoot, inspectBase } from '../../../builder/image/open.ts'
import { encodeTable } from '../../../builder/image/table.ts'
import { toLockedDeb } from '../../../builder/lock/debs.ts'
import { lockPath, readLock, writeLock } from '../../../builder/lock/file.ts'
import type { LockedDeb } from '../../../builder/lock/schema.ts'
import { type Checkout, makeCheckout } from '../checkout.ts'
import { realMirror } from '../mirror.ts'
import { checkout as original, tools } from '../tools.ts'

const here = import.meta.dirname

/** The look-alike of Raspberry Pi OS, packed as it would be published, and what is known of the image in it. */
export interface LookAlike {
  archive: string
  image: { sha256: string; sizeBytes: number }
  /** The package of a kernel newer than its own. */
  newerKernel: string
}

const imageName = 'raspios-look-alike.img'
/** Written last: an archive without it is not whole. */
const factsName = 'image.json'

const diskId = '6c6f6f6b'
const bootStart = 16_384 * 512
const bootBytes = 512 << 20
const rootStart = bootStart + bootBytes
const commandLine = `console=serial0,115200 console=tty1 root=PARTUUID=${diskId}-02 rootfstype=ext4 fsck.repair=yes rootwait resize`
const fstab = [
  'proc            /proc           proc    defaults          0       0',
  `PARTUUID=${diskId}-01  /boot/firmware  vfat    defaults          0       2`,
  `PARTUUID=${diskId}-02  /               ext4    defaults,noatime  0       1`,
  '',
].join('\n')

/** An image with nothing in it that has the table, labels and features of Raspberry Pi OS, made by the same tools. */
const makeSkeleton = async (path: string): Promise<void> => {
  const rootBytes = 64 << 20
  const partitions = [
    { number: 1, type: 0x0c, startSector: bootStart / 512, sectors: bootBytes / 512 },
    { number: 2, type: 0x83, startSector: rootStart / 512, sectors: rootBytes / 512 },
  ]
  await writeFile(path, encodeTable({ diskId, partitions }))
  await truncate(path, rootStart + rootBytes)
  const fat = ['mkdosfs', '-n', 'bootfs', '-F', '32', '-s', '1', '--offset', String(bootStart / 512), path]
  await runTool(tools, [...fat, String(bootBytes / 1024)], { writable: [path] })
  const ext4 = [
    'mke2fs',
    '-q',
    '-F',
    '-t',
    'ext4',
    '-L',
    'rootfs',
    '-O',
    '^huge_file,^64bit',
    '-E',
    `offset=${rootStart}`,
  ]
  await runTool(tools, [...ext4, path, '64m'], { writable: [path] })
}

/** What Raspberry Pi OS has on its boot partition besides the kernel and its initramfs, see `overlay/etc`. */
const arrangeBoot = async (folder: string): Promise<void> => {
  const texts = {
    'cmdline.txt': `${commandLine}\n`,
    'config.txt': '[all]\narm_64bit=1\nauto_initramfs=1\n',
    'meta-data': 'dsmode: local\ninstance_id: rpios-image\n',
    'user-data': '#cloud-config\n',
    'network-config': '# As in netplan.\n',
  }
  for (const [name, text] of Object.entries(texts)) await writeFile(join(folder, name), text)
}

/** What Raspberry Pi OS has below `/etc`, of the files that Debian's packages put there. */
const arrangeSettings = async (root: string, etc: string): Promise<void> => {
  const initramfs = 'initramfs-tools/initramfs.conf'
  const settings = await readFile(join(root, 'etc', initramfs), 'utf8')
  const texts = {
    fstab,
    hosts: '127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost\n127.0.1.1\traspberrypi\n',
    [initramfs]: settings.replace(/^MODULES=.*$/m, 'MODULES=dep'),
  }
  await mkdir(join(etc, 'initramfs-tools'), { recursive: true })
  for (const [name, text] of Object.entries(texts)) await writeFile(join(etc, name), text)
}

/** The newest kernel of Debian's lists but one, with the package that stands for it. */
const findOlderKernel = async ({ project }: Checkout): Promise<LockedDeb[]> => {
  const found = await realMirror('trixie')
  if ('reason' in found) throw new Error(found.reason)
  const source = openDebianSource({ blobs: openBlobs(project.cache), emit: () => {} })
  const which = { suite: 'trixie', architecture: 'arm64', packagesFrom: {}, now: new Date(), acceptExpired: true }
  const indexes = await fetchIndexes({ source, mirrors: found.mirrors, ...which, emit: () => {} })
  const { byName } = await readPackageTable(indexes, source.blobPath)
  const versions = byName.get('linux-image-arm64') ?? []
  const older = versions.find(({ version }) => version !== versions[0]?.version)
  const kernel = byName.get(/^linux-image-\S+/.exec(older?.stanza.Depends ?? '')?.[0] ?? '')?.[0]
  if (!older || !kernel) throw new Error('the mirror has no kernel besides the newest')
  return [kernel, older].map(toLockedDeb)
}

const isKernel = ({ name }: LockedDeb): boolean => /^linux-image-\d/.test(name)

/**
 * Lock that kernel in place of the newest: by the time that somebody bakes upon an image, there is a newer one. Returns the
 * name of the newest.
 */
const lockOlderKernel = async (checkout: Checkout): Promise<string> => {
  const path = lockPath(checkout.project.locks, 'look-alike')
  const lock = await readLock(path)
  if (!lock) throw new Error('the look-alike is not locked')
  const kernel = await findOlderKernel(checkout)
  const steps = lock.steps.map(({ name, debs }) => ({
    name,
    debs: name === 'base' ? [...debs.filter((deb) => !deb.name.startsWith('linux-image-')), ...kernel] : debs,
  }))
  await writeLock(path, { ...lock, steps })
  const newest = lock.steps.flatMap(({ debs }) => debs).find(isKernel)
  if (!newest) throw new Error('the look-alike has no kernel')
  return newest.name
}

/**
 * Bake the Debian with the first boot of `overlay/`, in a checkout of its own; the baked image is handed to `use`, with the
 * package of a newer kernel.
 */
const bakeDebian = async (use: (image: string, newerKernel: string) => Promise<void>): Promise<void> => {
  const checkout = await makeCheckout({ isWarm: true })
  try {
    const { project } = checkout
    await cp(join(here, 'stage'), join(project.stages, 'look-alike'), { recursive: true })
    await cp(join(here, 'overlay'), join(project.overlays, 'look-alike'), { recursive: true })
    await cp(join(here, 'profile.yaml'), join(project.profiles, 'look-alike.yaml'))
    const run = async (...words: string[]): Promise<void> => {
      const { exitCode, stderr } = await checkout.runJson([...words, '--profile', 'look-alike'])
      if (exitCode !== 0) throw new Error(`the look-alike could not be baked:\n${stderr.slice(-3000)}`)
    }
    await run('fetch')
    const newerKernel = await lockOlderKernel(checkout)
    await run()
    // A checkout takes several gigabytes; only the image is needed from here on.
    await rm(join(project.cache, 'layers'), { recursive: true })
    await use(join(project.images, 'look-alike.img'), newerKernel)
  } finally {
    await checkout.remove()
  }
}

const build = async (destination: string): Promise<void> => {
  await using scratch = await makeScratch(join(original, 'test', '.tmp', 'look-alike'))
  const skeleton = join(scratch.path, 'skeleton.img')
  await makeSkeleton(skeleton)
  await bakeDebian(async (baked, newerKernel) => {
    const info = await inspectBase(baked)
    const top = join(scratch.path, 'top')
    const boot = join(top, 'boot/firmware')
    await extractBoot({ tools, image: info, destination: boot })
    await arrangeBoot(boot)
    await using root = await mountImage(tools, baked, info.root, join(scratch.path, 'root'))
    await arrangeSettings(root.path, join(top, 'etc'))
    await using view = await mountLayers(tools, [root.path, top], join(scratch.path, 'view'))
    const image = join(destination, imageName)
    const { sha256, sizeBytes } = await assembleImage({
      ...{ tools, root: view.path, destination: image },
      layout: baseLayout(await inspectBase(skeleton), { bootMiB: 0 }),
      hashSeed: '6c6f6f6b-616c-4b65-8000-000000000000',
      marginMiB: 200,
      timeSeconds: Math.floor((await stat(baked)).mtimeMs / 1000),
      emit: () => {},
    })
    await runTool(tools, ['xz', '--threads=0', '-0', image], { writable: [destination] })
    await writeFile(join(destination, factsName), JSON.stringify({ image: { sha256, sizeBytes }, newerKernel }))
  })
}

/** Digest of all that the look-alike is made of here. */
const recipe = async (): Promise<Sha256> => {
  const entries = await readdir(here, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return hashJson(await Promise.all(files.sort().map(async (file) => [file.slice(here.length), await hashFile(file)])))
}

/**
 * The look-alike, built when this machine has none of the present recipe; about three minutes on two cores, with a Debian
 * mirror and root. It stays below `.pibake/`.
 */
export const makeLookAlike = async (): Promise<LookAlike> => {
  const folder = join(original, '.pibake', 'look-alike')
  const place = join(folder, (await recipe()).slice(0, 16))
  const readFacts = () => readFile(join(place, factsName), 'utf8').catch(() => undefined)
  if ((await readFacts()) === undefined) {
    await rm(folder, { recursive: true, force: true })
    await mkdir(place, { recursive: true })
    await build(place)
  }
  return { archive: join(place, `${imageName}.xz`), ...JSON.parse((await readFacts()) ?? '{}') }
}
