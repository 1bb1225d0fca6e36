import { hostname } from 'node:os'
import { openBlobs } from '../cache/blobs.ts'
import type { Emit } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import type { SigningKey } from '../deb/signing-key.ts'
import { readAllLocks } from '../lock/all.ts'
import { renderDocs } from '../page/docs.ts'
import { listStages } from '../profile/stage.ts'
import { defaultRepository } from '../repository/write.ts'
import { drawCode } from './code.ts'
import { shareDebian } from './debian.ts'
import { fileContent } from './file.ts'
import { renderFrontPage } from './front-page.ts'
import { shareImages } from './images.ts'
import { shareNpm } from './npm.ts'
import { bytesOffer, type Offer, type Offers, pagePolicy, typeOf } from './offer.ts'
import { sharePackages } from './packages.ts'

/** All that a checkout offers, looked at once: what changes later is not served. */
export interface Share {
  offers: Offers
  images: number
  debianPackages: number
  npmPackages: number
  /** Packages that locks name and the cache lacks. */
  missing: number
}

const shareDocs = async ({ root }: Project): Promise<[string, Offer][]> => {
  const offers: [string, Offer][] = []
  // Pages lie below /docs/, and lead back to the front page above.
  for (const file of await renderDocs(root, { home: '../' })) {
    const shared = { group: 'documentation', type: typeOf(file.path), policy: pagePolicy } as const
    const path = `/docs/${file.path}`
    if ('text' in file) offers.push([path, bytesOffer(file.text, shared)])
    else {
      const content = await fileContent(file.source)
      if (content) offers.push([path, { ...shared, content }])
    }
  }
  return offers
}

const redirect = (to: string): Offer => ({ content: { kind: 'redirect', to }, group: 'pages', type: '' })

/** Paths without a page of their own, as people type them. */
const shortcuts: readonly (readonly [string, Offer])[] = [
  ['/docs', redirect('/docs/index.html')],
  ['/docs/', redirect('/docs/index.html')],
  ['/images', redirect('/#images')],
  ['/images/', redirect('/#images')],
  ['/debian', redirect('/#packages')],
  ['/debian/', redirect('/#packages')],
  ['/packages', redirect('/#stages')],
  ['/packages/', redirect('/#stages')],
  ['/npm', redirect('/#npm')],
  ['/npm/', redirect('/#npm')],
]

/**
 * Look at what the checkout has: packages of its locks in the cache, images, documentation. Indexes are signed by `key`.
 * Nothing is written, and nothing of the cache is read but the control data of packages.
 */
export const openShare = async (options: {
  project: Project
  key: SigningKey
  emit: Emit
  signal: AbortSignal
}): Promise<Share> => {
  const { project, key, emit, signal } = options
  const blobs = openBlobs(project.cache)
  const locks = await readAllLocks(project)
  const debian = await shareDebian(locks, { blobs, key, emit, signal })
  const npm = await shareNpm(locks, { blobs, stages: await listStages(project) })
  const { images, offers: imageOffers } = await shareImages(project)
  const packages = await sharePackages(defaultRepository(project))
  const page = {
    name: hostname(),
    images,
    suites: debian.suites,
    npm,
    packages,
    fingerprint: key.fingerprint,
    drawCode,
  }
  const front: Offer = {
    content: { kind: 'text', render: (host) => renderFrontPage(page, host) },
    group: 'pages',
    type: typeOf('.html'),
    policy: pagePolicy,
  }
  const parts = [debian.offers, npm.offers, imageOffers, packages?.offers ?? [], await shareDocs(project), shortcuts]
  return {
    offers: new Map<string, Offer>([...parts.flat(), ['/', front]]),
    images: images.length,
    debianPackages: debian.suites.reduce((sum, { packages }) => sum + packages, 0),
    npmPackages: npm.packages,
    missing: debian.missing + npm.missing,
  }
}
