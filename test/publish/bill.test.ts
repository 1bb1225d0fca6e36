import test from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import type { LockedBase } from '../../builder/lock/schema.ts'
import type { ResolvedProfile } from '../../builder/profile/schema.ts'
import { type Bill, listComponents } from '../../builder/publish/components.ts'
import { renderCycloneDx } from '../../builder/publish/cyclonedx.ts'
import { renderManifest } from '../../builder/publish/manifest.ts'
import { renderSpdx } from '../../builder/publish/spdx.ts'
import { deb, lock as exampleLock } from '../lock/_lock.ts'
import { profile, stage } from './_profile.ts'

const scoped = { name: '@a/b', version: '1.0.0', integrity: 'sha512-AAEC', sizeBytes: 3, sha256: hashBytes('ab') }
const lock: typeof exampleLock = {
  ...exampleLock,
  steps: [
    { name: 'base', debs: [deb('a', '1:2.0+x~1')] },
    { name: 'ssb', debs: [deb('nodejs')] },
    { name: 'web', debs: [deb('nginx')] },
  ],
  npm: {
    ssb: [
      { ...scoped, path: 'node_modules/@a/b' },
      { ...scoped, path: 'node_modules/c/node_modules/@a/b' },
    ],
  },
}

const free = 'Format: x\n\nFiles: *\nCopyright: x\nLicense: free\n Do as you like.\n'
const licences = {
  copyrights: new Map([
    [deb('a', '1:2.0+x~1').sha256, free],
    [deb('nginx').sha256, 'All rights reserved.'],
  ]),
  npm: new Map([[scoped.sha256, { expression: 'MIT', names: ['MIT'], refs: [] }]]),
}
const bill: Bill = { profile, lock, components: listComponents({ profile, lock }, licences), pibake: '1.2.3' }

test('everything of the lock and the stages is a component, once, under its package URL', (t) => {
  t.deepEqual(
    bill.components.map(({ purl }) => purl),
    [
      'pkg:deb/debian/a@1%3A2.0%2Bx~1?arch=arm64&distro=trixie',
      'pkg:deb/debian/nginx@1?arch=arm64&distro=trixie',
      'pkg:deb/debian/nodejs@1?arch=arm64&distro=trixie',
      'pkg:deb/debian/tmux@1?arch=arm64&distro=trixie',
      'pkg:deb/pibake/pibake-ssb@0.1.0?arch=arm64',
      'pkg:deb/pibake/pibake-web@0.1.0?arch=arm64',
      `pkg:generic/logo?checksum=sha256%3A${hashBytes('logo')}&download_url=https%3A%2F%2Fexample.org%2Fa%20b.png`,
      'pkg:npm/%40a/b@1.0.0',
    ],
  )
  const npm = bill.components.at(-1)
  t.is(npm?.sha512, '000102')
  t.deepEqual(npm?.paths, ['ssb/node_modules/@a/b', 'ssb/node_modules/c/node_modules/@a/b'])
  t.deepEqual(bill.components.find(({ name }) => name === 'tmux')?.places, ['mirror'])
})

interface CycloneDx {
  serialNumber: string
  metadata: { timestamp: string }
  components: {
    'bom-ref': string
    group?: string
    name: string
    hashes?: { alg: string; content: string }[]
    licenses: unknown
  }[]
  dependencies: { ref: string; dependsOn: string[] }[]
}

test('as CycloneDX, with hashes, licences and what depends on what', (t) => {
  const document = JSON.parse(renderCycloneDx(bill)) as CycloneDx
  t.is(document.metadata.timestamp, lock.time)
  t.regex(document.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
  const named = new Map(document.components.map((component) => [component.name, component]))
  t.deepEqual(
    named.get('b')?.hashes?.map(({ alg }) => alg),
    ['SHA-256', 'SHA-512'],
  )
  t.is(named.get('b')?.group, '@a')
  t.deepEqual(named.get('nginx')?.licenses, [{ license: { name: 'its copyright file is not machine-readable' } }])
  t.deepEqual(named.get('pibake-web')?.licenses, [{ expression: 'MIT' }])
  const known = new Set(['image:pub', ...document.components.map((component) => component['bom-ref'])])
  for (const { ref, dependsOn } of document.dependencies) {
    t.deepEqual(
      [ref, ...dependsOn].filter((name) => !known.has(name)),
      [],
    )
  }
  const web = document.dependencies.find(({ ref }) => ref.includes('pibake-web'))
  t.deepEqual(
    web?.dependsOn.map((ref) => ref.replace(/[@?].*/, '')),
    ['pkg:deb/debian/nginx', 'pkg:deb/pibake/pibake-ssb', 'pkg:generic/logo'],
  )
})

interface Spdx {
  documentNamespace: string
  packages: { SPDXID: string; name: string; licenseDeclared: string; checksums?: unknown[] }[]
  relationships: { relatedSpdxElement: string }[]
  hasExtractedLicensingInfos: { licenseId: string; extractedText: string }[]
}

test('as SPDX, every reference defined', (t) => {
  const document = JSON.parse(renderSpdx(bill)) as Spdx
  const ids = document.packages.map(({ SPDXID }) => SPDXID)
  t.is(new Set(ids).size, bill.components.length + 1)
  t.deepEqual(document.relationships.map(({ relatedSpdxElement }) => relatedSpdxElement).sort(), ids.toSorted())
  const [free] = document.hasExtractedLicensingInfos
  t.is(free?.extractedText, 'Do as you like.')
  t.is(document.packages.find(({ name }) => name === 'a')?.licenseDeclared, free?.licenseId)
  t.is(document.packages.find(({ name }) => name === 'tmux')?.licenseDeclared, 'NOASSERTION')
})

test('both are about the image of one target', (t) => {
  const other = { ...bill, profile: { ...profile, target: 'vm-amd64', output: 'pub-vm-amd64' } as const }
  t.true(renderCycloneDx(other).includes('"bom-ref": "image:pub-vm-amd64"'))
  t.is((JSON.parse(renderSpdx(other)) as Spdx).packages[0]?.name, 'pub-vm-amd64')
  t.not(
    (JSON.parse(renderSpdx(other)) as Spdx).documentNamespace,
    (JSON.parse(renderSpdx(bill)) as Spdx).documentNamespace,
  )
})

test('the same lock gives the same bytes, another lock another number', (t) => {
  const again: Bill = { ...bill, components: listComponents({ profile, lock: structuredClone(lock) }, licences) }
  t.is(renderCycloneDx(again), renderCycloneDx(bill))
  t.is(renderSpdx(again), renderSpdx(bill))
  const changed = { ...lock, extras: [deb('tmux', '2')] }
  const other: Bill = { ...bill, lock: changed, components: listComponents({ profile, lock: changed }, licences) }
  const numberOf = (text: string): string => (JSON.parse(text) as CycloneDx).serialNumber
  t.not(numberOf(renderCycloneDx(other)), numberOf(renderCycloneDx(bill)))
})

/** What `required` of Imager's doc/json-schema/os-list-schema.json lists for an operating system. */
const required = [
  'name',
  'description',
  'icon',
  'url',
  'extract_size',
  'extract_sha256',
  'image_download_size',
  'release_date',
  'devices',
]

interface Manifest {
  imager: { devices: { name: string; description: string; tags: string[] }[] }
  os_list: Record<string, unknown>[]
}

test('the manifest has all that Imager needs, and offers customisation only where it is carried out', (t) => {
  const image = { path: '/a b/pub.img', sizeBytes: 10, sha256: hashBytes('image') }
  const source = { path: '/a b/pub.img.xz', sizeBytes: 4, sha256: hashBytes('archive') }
  const render = (profile: ResolvedProfile, base?: LockedBase): Manifest =>
    JSON.parse(
      renderManifest({
        profile,
        lock: { ...lock, ...(base ? { base } : {}) },
        image,
        source,
        bmapPath: '/a b/pub.img.bmap',
      }),
    )
  const { imager, os_list: list } = render(profile)
  const [entry = {}] = list
  t.deepEqual(
    required.filter((name) => entry[name] === undefined),
    [],
  )
  t.is(entry.url, 'file:///a%20b/pub.img.xz')
  t.deepEqual([entry.extract_size, entry.extract_sha256], [10, hashBytes('image')])
  t.deepEqual([entry.image_download_size, entry.image_download_sha256], [4, hashBytes('archive')])
  t.is(entry.release_date, '2026-09-12')
  t.is(entry.init_format, 'none')
  const tags = new Set(imager.devices.flatMap((device) => device.tags))
  t.deepEqual(entry.devices, [...tags].sort())
  const stages = [...profile.stages, { stage: stage('imager'), settings: {} }]
  t.is(render({ ...profile, stages }).os_list[0]?.init_format, 'systemd')

  const file = { sha256: hashBytes('base'), sizeBytes: 7 }
  const told = { devices: ['pi5-64bit'], initFormat: 'cloudinit-rpi' }
  const upon = render({ ...profile, stages }, { name: 'raspios', archive: file, image: file, imager: told })
  t.is(upon.os_list[0]?.init_format, 'cloudinit-rpi')
  t.deepEqual(upon.os_list[0]?.devices, ['pi5-64bit'])
  t.deepEqual(
    upon.imager.devices.map(({ name }) => name),
    ['Raspberry Pi 5'],
  )
})
