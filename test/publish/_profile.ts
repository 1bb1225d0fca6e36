import { hashBytes } from '../../builder/core/digest.ts'
import type { ResolvedProfile, Stage } from '../../builder/profile/schema.ts'

/** A stage with nothing in it but what is given. */
export const stage = (name: string, more: Partial<Stage> = {}): Stage => ({
  name,
  version: '0.1.0',
  summary: `The stage ${name}`,
  description: 'A stage.',
  needs: [],
  packages: [],
  packagesFrom: {},
  recommends: false,
  npm: false,
  conflicts: [],
  artifacts: [],
  slots: [],
  settings: {},
  checks: [],
  labChecks: [],
  powerChecks: [],
  folder: `/stages/${name}`,
  overlay: undefined,
  ...more,
})

const logo = { name: 'logo', sha256: hashBytes('logo'), url: 'https://example.org/a b.png', path: '/x', mode: 0o644 }

/** A profile with an npm tree, an artifact, and a stage that needs another. */
export const profile: ResolvedProfile = {
  name: 'pub',
  summary: 'An example',
  hostname: 'pub',
  base: { kind: 'debian' },
  suite: 'trixie',
  target: 'rpi-arm64',
  architecture: 'arm64',
  output: 'pub',
  stages: [stage('ssb', { npm: true }), stage('web', { needs: ['ssb'], artifacts: [logo] })].map((stage) => ({
    stage,
    settings: {},
  })),
  extraPackages: ['tmux'],
  image: { bootMiB: 256, marginMiB: 256 },
}
