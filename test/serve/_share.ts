import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { create } from 'tar'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import type { Project } from '../../builder/core/project.ts'
import { openSigningKey, type SigningKey } from '../../builder/deb/signing-key.ts'
import { lockPath, writeLock } from '../../builder/lock/file.ts'
import type { Lock, LockedDeb } from '../../builder/lock/schema.ts'
import { mergeDebs } from '../../builder/repository/merge.ts'
import { newRecord } from '../../builder/repository/record.ts'
import { defaultRepository, writeRepository } from '../../builder/repository/write.ts'
import { openShare, type Share } from '../../builder/serve/share.ts'
import { lock } from '../lock/_lock.ts'
import { makeProject, profileYaml, stageYaml, temporaryFolder } from '../profile/_project.ts'
import { incoming, writeDeb } from '../repository/_debs.ts'

/** Put a file into the cache of a checkout. */
const put = async (project: Project, content: Buffer) => {
  await using blob = await openBlobs(project.cache).beginBlob()
  await blob.write(content)
  return await blob.commit()
}

interface PackageSpec {
  name: string
  version: string
  architecture: string
  archive?: string
}

/** A Debian package in the cache, as a lock names it. */
const lockDeb = async (t: ExecutionContext, project: Project, spec: PackageSpec): Promise<LockedDeb> => {
  const { name, version, architecture, archive = 'main' } = spec
  const path = await writeDeb(join(await temporaryFolder(t), 'x.deb'), `content of ${name}`, [
    name,
    version,
    architecture,
  ])
  const pool = archive === 'security' ? 'pool/updates/main' : 'pool/main'
  return {
    ...{ name, version, architecture, archive },
    path: `${pool}/${name}/${name}_${version}_${architecture}.deb`,
    ...(await put(project, await readFile(path))),
  }
}

/** An npm package in the cache, as a lock names it. */
const lockNpm = async (
  t: ExecutionContext,
  project: Project,
  name: string,
  version: string,
): Promise<Lock['npm'][string][number]> => {
  const cwd = await temporaryFolder(t)
  await mkdir(join(cwd, 'package'))
  await writeFile(join(cwd, 'package/package.json'), JSON.stringify({ name, version, dependencies: { x: '^1.0.0' } }))
  await create({ file: join(cwd, 'x.tgz'), cwd, gzip: true, portable: true }, ['package'])
  const bytes = await readFile(join(cwd, 'x.tgz'))
  const integrity = `sha512-${Buffer.from(await crypto.subtle.digest('SHA-512', bytes)).toString('base64')}`
  return { name, version, path: `node_modules/${name}`, integrity, ...(await put(project, bytes)) }
}

/** What a manifest beside an image says, as `pibake` writes it for the place where it is. */
const manifestOf = (project: Project, file: string) => ({
  imager: { devices: [{ name: 'Raspberry Pi 4', tags: ['pi4-64bit'], matching_type: 'exclusive' }] },
  os_list: [
    {
      name: 'pibake hub',
      description: 'A hub',
      url: `file://${join(project.images, file)}`,
      bmap_url: `file://${join(project.images, 'hub.img.bmap')}`,
      extract_size: 9,
      extract_sha256: hashBytes('the image'),
      devices: ['pi3-64bit', 'pi4-64bit'],
    },
  ],
})

/** A checkout with everything that can be served, and one package of its lock missing. */
export const makeShared = async (t: ExecutionContext): Promise<Project> => {
  const project = await makeProject(t, {
    'README.md': '# A hub\n\nSee [the mill](docs/mill.md).',
    'docs/mill.md': '# The mill',
    'stages/mill/stage.yaml': stageYaml('mill'),
    'stages/mill/npm/package.json': '{"name":"mill"}\n',
    'stages/mill/npm/package-lock.json': '{"lockfileVersion":3}\n',
    'stages/profiles/hub.yaml': profileYaml('hub', 'stages: [mill]'),
    'images/hub.img': 'the image',
    'images/hub.img.bmap': '<bmap/>',
    'images/hub.cdx.json': '{}',
    'images/hub.report.html': '<h1>report</h1>',
    'images/hub-vm-amd64.qcow2': 'disk',
    'images/letter.txt': 'private',
    'images/.hub.img.partial': 'partial',
  })
  await writeFile(join(project.images, 'hub.rpi-imager-manifest'), JSON.stringify(manifestOf(project, 'hub.img')))
  const sums = `${hashBytes('the image')}  hub.img\n${hashBytes('{}')}  hub.cdx.json\n${hashBytes('x')}  letter.txt\n`
  await writeFile(join(project.images, 'hub.img.sha256'), sums)
  const specs: PackageSpec[] = [
    { name: 'mill', version: '1.0', architecture: 'arm64' },
    { name: 'common', version: '2.0', architecture: 'all' },
    { name: 'hot', version: '1.1', architecture: 'arm64', archive: 'security' },
    { name: 'other', version: '3.0', architecture: 'arm64', archive: 'raspi' },
  ]
  const debs = await Promise.all(specs.map((spec) => lockDeb(t, project, spec)))
  const gone: LockedDeb = {
    ...debs[0],
    ...{ name: 'gone', path: 'pool/main/gone.deb', sha256: hashBytes('gone') },
  } as never
  const npm = { mill: [await lockNpm(t, project, '@field/mill', '1.2.0'), await lockNpm(t, project, 'wheel', '0.1.0')] }
  const steps = [{ name: 'base', debs: [...debs, gone] }]
  await mkdir(project.locks, { recursive: true })
  await writeLock(lockPath(project.locks, 'hub'), { ...lock, profile: 'hub', steps, extras: [], npm, artifacts: {} })
  return project
}

/** Look at it as the server does. */
export const lookAt = async (
  t: ExecutionContext,
  project: Project,
): Promise<{ share: Share; key: SigningKey; events: PibakeEvent[] }> => {
  const key = await openSigningKey(join(await temporaryFolder(t), 'key.asc'), { owner: 'the hub' })
  const events: PibakeEvent[] = []
  const emit = (event: PibakeEvent): void => void events.push(event)
  return { share: await openShare({ project, key, emit, signal: new AbortController().signal }), key, events }
}

/** Put a repository with these packages (by name, with who brings each) where `pibake deb` puts it. */
export const addRepository = async (
  t: ExecutionContext,
  project: Project,
  packages: Readonly<Record<string, string>>,
): Promise<string> => {
  const scratch = await temporaryFolder(t)
  const key = await openSigningKey(join(scratch, 'key.asc'), { owner: 'the mill' })
  const debs = await Promise.all(
    Object.entries(packages).map(async ([name, from]) =>
      incoming(await writeDeb(join(scratch, name), name, [name, '1.0']), from),
    ),
  )
  const merge = mergeDebs(newRecord('trixie'), debs, { architectures: [], timeSeconds: 1 })
  const folder = defaultRepository(project)
  await writeRepository(folder, merge, { key, uri: 'file:/x', signal: new AbortController().signal })
  return folder
}
