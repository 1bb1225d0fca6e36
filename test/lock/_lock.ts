import { hashBytes } from '../../builder/core/digest.ts'
import { type DebianRequest, requestDigest } from '../../builder/lock/request.ts'
import type { Lock, LockedDeb } from '../../builder/lock/schema.ts'

export const deb = (name: string, version = '1'): LockedDeb => ({
  name,
  version,
  architecture: 'arm64',
  path: `pool/main/${name}_${version}_arm64.deb`,
  archive: 'main',
  sizeBytes: 3,
  sha256: hashBytes(`${name} ${version}`),
})

export const request: DebianRequest = {
  suite: 'trixie',
  architecture: 'arm64',
  steps: [
    { name: 'base', packages: ['a', 'b'], essential: true },
    { name: 'web', packages: ['nginx'], stagePackage: { name: 'pibake-web', depends: ['nginx', 'pibake-x'] } },
  ],
  extras: ['tmux'],
}

export const lock: Lock = {
  version: 1,
  profile: 'pub',
  suite: 'trixie',
  architecture: 'arm64',
  request: requestDigest(request),
  time: '2026-09-12T07:55:41.000Z',
  indexes: [{ archive: 'main', suite: 'trixie', date: '2026-09-12T07:55:41.000Z', sha256: hashBytes('index') }],
  steps: [
    { name: 'base', debs: [deb('b'), deb('a')] },
    { name: 'web', debs: [deb('nginx')] },
  ],
  extras: [deb('tmux')],
  npm: {
    ssb: [
      {
        name: 'x',
        version: '2.0.0',
        path: 'node_modules/x',
        integrity: 'sha512-AA==',
        sizeBytes: 3,
        sha256: hashBytes('x'),
      },
    ],
  },
  artifacts: { web: [{ name: 'logo', sha256: hashBytes('logo'), sizeBytes: 4 }] },
}
