import { mkdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readCleartextMessage, readKey, verify } from 'openpgp'
import { hashBytes } from '../../builder/core/digest.ts'
import { parseStanzas } from '../../builder/deb/deb822.ts'
import type { Offers } from '../../builder/serve/offer.ts'
import { addRepository, lookAt, makeShared } from './_share.ts'

const textAt = async (t: ExecutionContext, offers: Offers, path: string, host = 'hub:8000'): Promise<string> => {
  const content = offers.get(path)?.content
  if (content?.kind === 'bytes') return content.bytes.toString()
  if (content?.kind === 'text') return content.render(host)
  t.fail(`nothing at ${path}`)
  return ''
}

test('Debian packages lie where bakers and apt look for them', async (t) => {
  const { share, key } = await lookAt(t, await makeShared(t))
  const { offers } = share
  for (const path of [
    '/debian/pool/main/mill/mill_1.0_arm64.deb',
    '/debian/pool/updates/main/hot/hot_1.1_arm64.deb',
    '/debian-security/pool/updates/main/hot/hot_1.1_arm64.deb',
    '/debian/archive/raspi/pool/main/other/other_3.0_arm64.deb',
    '/debian-security/dists/trixie-security/InRelease',
  ])
    t.true(offers.has(path), path)
  t.false(offers.has('/debian/pool/main/gone.deb'))
  t.is(share.missing, 1)
  t.is(share.debianPackages, 4)

  const inRelease = await textAt(t, offers, '/debian/dists/trixie/InRelease')
  const message = await readCleartextMessage({ cleartextMessage: inRelease })
  const { data, signatures } = await verify({ message, verificationKeys: await readKey({ armoredKey: key.publicKey }) })
  t.true(await signatures[0]?.verified)
  t.true(data.includes('Date: Sat, 12 Sep 2026 07:55:41 UTC'), 'the time of the lock')
  for (const [, sum = '', size, path = ''] of data.matchAll(/^ ([0-9a-f]{64}) (\d+) (\S+)$/gm)) {
    const content = offers.get(`/debian/dists/trixie/${path}`)?.content
    if (content?.kind !== 'bytes') return t.fail(path)
    t.is(String(hashBytes(content.bytes)), sum)
    t.is(content.bytes.length, Number(size))
    t.true(offers.has(`/debian/dists/trixie/main/binary-arm64/by-hash/SHA256/${sum}`))
  }
  const index = await textAt(t, offers, '/debian/dists/trixie/main/binary-arm64/Packages')
  const stanzas = [...parseStanzas(index)]
  t.deepEqual(
    stanzas.map(({ Package }) => Package),
    ['common', 'hot', 'mill', 'other'],
  )
  for (const { Filename, SHA256, Size } of stanzas) {
    const content = offers.get(`/debian/${Filename}`)?.content
    t.true(content?.kind === 'file' && content.sha256 === SHA256 && content.sizeBytes === Number(Size), Filename)
  }
  const security = await textAt(t, offers, '/debian-security/dists/trixie-security/main/binary-arm64/Packages')
  t.deepEqual(
    [...parseStanzas(security)].map(({ Package }) => Package),
    ['hot'],
  )
})

test('apt sources name the address under which the visitor came', async (t) => {
  const { share, key } = await lookAt(t, await makeShared(t))
  const source = await textAt(t, share.offers, '/debian/pibake-trixie.sources', 'laptop.local:8000')
  t.true(source.startsWith('Types: deb\nURIs: http://laptop.local:8000/debian\nSuites: trixie\nComponents: main\n'))
  t.true(source.includes(` ${key.publicKey.split('\n')[3]?.trim()}\n`))
})

test('npm packages form a registry', async (t) => {
  const { share } = await lookAt(t, await makeShared(t))
  const { offers } = share
  t.is(share.npmPackages, 2)
  const packument = JSON.parse(await textAt(t, offers, '/npm/@field/mill', '10.0.0.1:80'))
  t.is(packument['dist-tags'].latest, '1.2.0')
  const { dist, dependencies } = packument.versions['1.2.0']
  t.deepEqual(dependencies, { x: '^1.0.0' })
  t.is(dist.tarball, 'http://10.0.0.1:80/npm/@field/mill/-/mill-1.2.0.tgz')
  t.true(offers.has('/npm/@field/mill/-/mill-1.2.0.tgz'))
  t.true(offers.has('/npm/-/mill/package-lock.json'))
})

test('images: what a bake leaves, and nothing else of the folder', async (t) => {
  const project = await makeShared(t)
  await symlink('/etc/passwd', join(project.images, 'evil.img'))
  const { share } = await lookAt(t, project)
  const paths = [...share.offers.keys()].filter((path) => path.startsWith('/images/')).sort()
  t.deepEqual(paths, [
    '/images/',
    '/images/hub-vm-amd64.qcow2',
    '/images/hub.cdx.json',
    '/images/hub.img',
    '/images/hub.img.bmap',
    '/images/hub.img.sha256',
    '/images/hub.report.html',
  ])
  t.is(share.images, 2)
  const image = share.offers.get('/images/hub.img')?.content
  t.true(image?.kind === 'file' && image.sha256 === hashBytes('the image'))
  t.regex(share.offers.get('/images/hub.report.html')?.policy ?? '', /^sandbox/)
})

test('a checksum older than its file says nothing of it', async (t) => {
  const project = await makeShared(t)
  await utimes(join(project.images, 'hub.img.sha256'), 1000, 1000)
  const { share } = await lookAt(t, project)
  const image = share.offers.get('/images/hub.img')?.content
  t.true(image?.kind === 'file' && image.sha256 === undefined)
})

test('Raspberry Pi Imager gets a list with addresses that hold for who asks', async (t) => {
  const project = await makeShared(t)
  const { share } = await lookAt(t, project)
  for (const path of ['/imager.json', '/pibake.rpi-imager-manifest']) {
    const list = JSON.parse(await textAt(t, share.offers, path, 'hub:1'))
    t.is(list.imager.devices.length, 1)
    t.is(list.os_list.length, 1)
    const [entry] = list.os_list
    t.is(entry.url, 'http://hub:1/images/hub.img')
    t.is(entry.bmap_url, 'http://hub:1/images/hub.img.bmap')
    t.is(entry.extract_sha256, hashBytes('the image'))
  }
})

for (const [title, text] of [
  [
    'of an image that is gone',
    JSON.stringify({ imager: { devices: [] }, os_list: [{ name: 'x', description: 'y', url: 'file:///a/gone.img' }] }),
  ],
  [
    'that leads elsewhere',
    JSON.stringify({
      imager: { devices: [] },
      os_list: [{ name: 'x', description: 'y', url: 'http://other.example/hub.img' }],
    }),
  ],
  ['that is none', 'no JSON'],
  ['of another form', '{"os_list":{}}'],
] as const) {
  test(`a manifest ${title} is not passed on`, async (t) => {
    const project = await makeShared(t)
    await writeFile(join(project.images, 'hub.rpi-imager-manifest'), text)
    const { share } = await lookAt(t, project)
    t.false(share.offers.has('/imager.json'))
    t.true(share.offers.has('/images/hub.img'))
  })
}

test('the front page names what there is, with the address of the visitor, and escapes what it shows', async (t) => {
  const project = await makeShared(t)
  const manifest = { name: 'x', description: '<script>alert(1)</script>', url: 'file:///x/hub.img', devices: ['"><b>'] }
  await writeFile(
    join(project.images, 'hub.rpi-imager-manifest'),
    JSON.stringify({ imager: { devices: [] }, os_list: [manifest] }),
  )
  const { share, key } = await lookAt(t, project)
  const page = await textAt(t, share.offers, '/', 'hub.local:8000')
  t.true(page.includes('http://hub.local:8000/imager.json'))
  t.true(page.includes(key.fingerprint))
  t.true(page.includes('&lt;script&gt;alert(1)'))
  t.false(page.includes('<script'))
  t.false(page.includes('"><b>'))
  t.regex(share.offers.get('/')?.policy ?? '', /default-src 'none'/)
  for (const [, target = ''] of page.matchAll(/(?:href|src)="(\/[^"]*)"/g)) t.true(share.offers.has(target), target)
})

test('documentation is there, and short paths lead on', async (t) => {
  const { share } = await lookAt(t, await makeShared(t))
  t.true((await textAt(t, share.offers, '/docs/README.html')).includes('<a href="docs/mill.html">the mill</a>'))
  for (const path of ['/docs', '/images/', '/debian/', '/npm', '/packages'])
    t.is(share.offers.get(path)?.content.kind, 'redirect', path)
})

test('a package that is damaged is told and not listed', async (t) => {
  const project = await makeShared(t)
  const before = await lookAt(t, project)
  const content = before.share.offers.get('/debian/pool/main/mill/mill_1.0_arm64.deb')?.content
  if (content?.kind !== 'file') return t.fail()
  await writeFile(content.path, Buffer.alloc(content.sizeBytes, 'x'))
  const { share, events } = await lookAt(t, project)
  t.false(share.offers.has('/debian/pool/main/mill/mill_1.0_arm64.deb'))
  t.true(events.some((event) => event.type === 'notice' && event.message.includes('`mill 1.0` is damaged')))
})

test('a cache behind a link is not served', async (t) => {
  const project = await makeShared(t)
  await rename(join(project.images, 'hub.img'), join(project.images, 'elsewhere'))
  await symlink(join(project.images, 'elsewhere'), join(project.images, 'hub.img'))
  const { share } = await lookAt(t, project)
  t.false(share.offers.has('/images/hub.img'))
})

test('a checkout with nothing in it has a front page and documentation', async (t) => {
  const project = await makeShared(t)
  await rename(project.cache, join(project.root, 'old'))
  await rename(project.images, join(project.root, 'older'))
  await mkdir(project.cache)
  const { share } = await lookAt(t, project)
  t.deepEqual([share.images, share.debianPackages, share.npmPackages, share.missing], [0, 0, 0, 0])
  t.true((await textAt(t, share.offers, '/')).includes('Take a node home'))
})

test('the repository of pibake deb is there, with the key that signed it', async (t) => {
  const project = await makeShared(t)
  const folder = await addRepository(t, project, { 'pibake-mill': 'stages of this checkout', nginx: 'Debian' })
  const { share } = await lookAt(t, project)
  for (const path of ['pool/main/p/pibake-mill/pibake-mill_1.0_all.deb', 'dists/trixie/InRelease', 'pibake.sources'])
    t.true(share.offers.has(`/packages/${path}`), path)
  const source = await textAt(t, share.offers, '/packages/pibake.sources')
  t.true(source.includes('URIs: http://hub:8000/packages\n'))
  const publicKey = await readFile(join(folder, 'pibake-archive-keyring.asc'), 'utf8')
  t.true(source.includes(publicKey.split('\n')[3]?.trim() ?? 'no key'))
  const page = await textAt(t, share.offers, '/')
  t.true(page.includes('<li>pibake-mill</li>'))
  t.false(page.includes('<li>nginx</li>'))
})

test('a repository of strangers leads nowhere else', async (t) => {
  const project = await makeShared(t)
  const folder = await addRepository(t, project, { 'pibake-mill': 'strangers' })
  const pool = join(folder, 'pool/main/p/pibake-mill/pibake-mill_1.0_all.deb')
  await rm(pool)
  await symlink('/etc/passwd', pool)
  await symlink('/etc', join(folder, 'dists/etc'))
  await symlink('/etc/passwd', join(folder, 'dists/trixie/passwd'))
  const { share } = await lookAt(t, project)
  const paths = [...share.offers.keys()].filter((path) => path.startsWith('/packages/'))
  t.deepEqual(
    paths.filter((path) => /passwd|etc|pool/.test(path)),
    [],
  )
  await rm(join(folder, 'pibake-archive-keyring.asc'))
  await symlink('/etc/passwd', join(folder, 'pibake-archive-keyring.asc'))
  t.false((await lookAt(t, project)).share.offers.has('/packages/pibake.sources'))
})
