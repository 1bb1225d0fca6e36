import type { ReportData } from '../../builder/page/report-data.ts'

/** What would break out of a page if it were not escaped. */
export const hostile = `</script><script>alert(1)</script> & "it's" <b>`

const usage = { files: 12, sizeBytes: 3_000_000 }

/** Everything that a report can say, with names that try to break it. */
export const reportData: ReportData = {
  summary: {
    image: 'hub.img',
    sizeBytes: 1_500_000_000,
    diskId: '0badcafe',
    partitions: [
      {
        number: 1,
        type: 0x0c,
        startBytes: 1 << 23,
        sizeBytes: 1 << 28,
        fileSystem: 'fat',
        label: 'bootfs',
        id: '0BAD-CAFE',
        usedBytes: 90_000_000,
      },
      {
        number: 2,
        type: 0x83,
        startBytes: 1 << 28,
        sizeBytes: 1 << 30,
        fileSystem: 'ext4',
        label: 'rootfs',
        id: '11111111-2222-4333-8444-555555555555',
        usedBytes: 800_000_000,
      },
      {
        number: 3,
        type: 0x82,
        startBytes: 1 << 29,
        sizeBytes: 1 << 20,
        fileSystem: undefined,
        label: '',
        id: '',
        usedBytes: 0,
      },
    ],
    system: { name: 'Debian GNU/Linux 13 (trixie)', hostname: 'hub', architecture: 'arm64', kernels: ['6.12-arm64'] },
    stages: [
      { name: 'base', version: undefined, summary: 'The system', packages: 30, sizeBytes: 300_000_000, checks: [] },
      {
        name: 'wiki',
        version: '0.2.0',
        summary: hostile,
        packages: 2,
        sizeBytes: 6_000_000,
        checks: ['it answers', hostile],
      },
    ],
    packages: [
      ...Array.from({ length: 30 }, (_, index) => ({
        name: `lib${index}`,
        version: `1.${index}`,
        architecture: 'arm64',
        summary: 'a library',
        stage: 'base',
        files: 3,
        sizeBytes: 40_000_000 / (index + 1),
        licences: ['MIT', `GPL-${index % 3}`],
      })),
      { name: 'php', version: '8.4-1', architecture: 'arm64', summary: '', stage: 'wiki', ...usage, licences: [] },
      {
        name: 'pibake-wiki',
        version: '0.2.0',
        architecture: 'all',
        summary: '',
        stage: 'wiki',
        ...usage,
        licences: [hostile],
      },
    ],
    npm: [{ name: '@a/b', version: '1.0.0', stage: 'wiki', licences: ['ISC'] }],
    services: [{ name: 'wiki.service', description: hostile, stage: 'wiki' }],
    others: [{ path: '/srv/pibake/mirror', ...usage }],
    overheadBytes: 60_000_000,
  },
  bake: {
    profile: 'hub',
    sha256: 'ab'.repeat(32),
    bakedAt: '2026-03-04T05:06:07.000Z',
    steps: [
      { id: 'base', title: 'Base: Debian', outcome: 'cached', startMs: 0, durationMs: 0, lastMs: 27_000 },
      { id: 'wiki', title: `Stage: ${hostile}`, outcome: 'run', startMs: 10, durationMs: 4200 },
      { id: 'image', title: 'Image: images/hub.img', outcome: 'run', startMs: 4300, durationMs: 9000 },
    ],
  },
  changes: {
    since: '2026-03-03T00:00:00.000Z',
    stages: [],
    packages: [{ name: 'php', before: '8.4-0', after: '8.4-1', sizeBefore: 3_000_000, sizeAfter: 2_000_000 }],
    npm: [{ name: hostile, before: undefined, after: '1.0.0', sizeBefore: undefined, sizeAfter: undefined }],
    usedBefore: 900_000_000,
    usedAfter: 890_000_000,
  },
  tests: [
    {
      board: 'virt',
      testedAt: '2026-03-04T06:00:00.000Z',
      bootMs: 125_000,
      checks: [
        { stage: 'wiki', title: 'it answers', outcome: 'passed', durationMs: 300 },
        { stage: 'wiki', title: 'it keeps', outcome: 'failed', durationMs: 1300, output: `${hostile}\n` },
        { stage: 'wiki', title: 'it lasts', outcome: 'timeout', durationMs: 60_000, output: '' },
        { stage: 'wiki', title: 'it skips', outcome: 'skipped', durationMs: 1, output: 'no radio here' },
      ],
    },
  ],
}
