import { join } from 'node:path'
import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { profileRequest } from '../../builder/lock/profile-request.ts'
import { listProfiles } from '../../builder/profile/profile.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import { listStages } from '../../builder/profile/stage.ts'
import { makeProject, profileYaml, stageYaml } from './_project.ts'

const four = {
  'stages/portal/stage.yaml': stageYaml('portal'),
  'stages/ssh/stage.yaml': stageYaml('ssh', 'needs: [first-boot]'),
  'stages/first-boot/stage.yaml': stageYaml('first-boot'),
  'stages/pub/stage.yaml': stageYaml(
    'pub',
    'needs: [ssh, first-boot]',
    'settings:',
    '  port: {description: Port, default: 8008}',
    '  peers: {description: Peers, default: [a, b]}',
    '  open: {description: Open, default: true}',
  ),
  'overlays/pub/etc/pub': 'x',
}

test('another base makes another image: it has a name of its own, and the host name stays', async (t) => {
  const project = await makeProject(t, { 'stages/profiles/hut.yaml': profileYaml('hut') })
  const resolved = await resolveProfile(project, 'hut', { base: 'raspios-lite-arm64' })
  t.deepEqual([resolved.name, resolved.hostname, resolved.base.kind], ['hut-on-raspios-lite-arm64', 'hut', 'image'])
  t.is((await resolveProfile(project, 'hut', { base: 'debian' })).name, 'hut')
  t.is(resolved.architecture, 'arm64')
  t.is((await resolveProfile(project, 'hut', { base: './2025-raspios-trixie-armhf.img.xz' })).architecture, 'armhf')
  const error = await t.throwsAsync(resolveProfile(project, 'hut', { base: 'Pi OS' }), { code: 'USAGE' })
  t.is(error?.message, '`Pi OS` is nothing that a bake can start from.')
})

test('a smallest profile gets every default', async (t) => {
  const project = await makeProject(t, { 'stages/profiles/a.yaml': profileYaml('a') })
  t.deepEqual(await resolveProfile(project, 'a'), {
    name: 'a',
    summary: 'The profile a',
    hostname: 'a',
    base: { kind: 'debian' },
    suite: 'trixie',
    target: 'rpi-arm64',
    architecture: 'arm64',
    output: 'a',
    stages: [],
    extraPackages: [],
    image: { bootMiB: 256, marginMiB: 256 },
  })
})

test('needs come first and are pulled in; the rest stays as listed', async (t) => {
  const project = await makeProject(t, {
    ...four,
    'stages/profiles/a.yaml': profileYaml('a', 'stages: [portal, pub]', 'settings: {pub: {peers: [c]}}'),
  })
  const { stages } = await resolveProfile(project, 'a')
  t.deepEqual(
    stages.map(({ stage }) => stage.name),
    ['portal', 'first-boot', 'ssh', 'pub'],
  )
  const pub = stages.at(-1)
  t.deepEqual(pub?.settings, { port: 8008, peers: ['c'], open: true })
  t.is(pub?.stage.folder, join(project.stages, 'pub'))
  t.is(pub?.stage.overlay, join(project.overlays, 'pub'))
  t.is(stages[0]?.stage.overlay, undefined)
})

const alternatives = {
  'stages/web/stage.yaml': stageYaml('web', "needs: ['big | small']"),
  'stages/big/stage.yaml': stageYaml('big'),
  'stages/small/stage.yaml': stageYaml('small', 'conflicts: [big]'),
}

for (const [listed, order] of [
  ['web', ['big', 'web']],
  ['web, small', ['small', 'web']],
  ['small, web', ['small', 'web']],
  ['big, web', ['big', 'web']],
] as const) {
  test(`of alternatives the profile's, else the first: ${listed}`, async (t) => {
    const project = await makeProject(t, {
      ...alternatives,
      'stages/profiles/a.yaml': profileYaml('a', `stages: [${listed}]`),
    })
    const profile = await resolveProfile(project, 'a')
    t.deepEqual(
      profile.stages.map(({ stage }) => stage.name),
      [...order],
    )
    const web = profileRequest(profile, undefined).steps.find(({ name }) => name === 'web')
    t.deepEqual(web?.stagePackage?.depends, [`pibake-${order[0]}`])
  })
}

test('a profile adds to the one it extends', async (t) => {
  const project = await makeProject(t, {
    ...four,
    'stages/profiles/base.yaml': profileYaml(
      'base',
      'hostname: node',
      'suite: forky',
      'stages: [pub]',
      'settings: {pub: {port: 1, open: false}}',
      'extraPackages: [tmux]',
      'image: {bootMiB: 128}',
    ),
    'elsewhere/child.yaml': profileYaml(
      'child',
      'extends: base',
      'base: images/base.img',
      'stages: [portal, pub]',
      'settings: {pub: {port: 2}}',
      'extraPackages: [htop, tmux]',
      'image: {marginMiB: 64}',
    ),
  })
  const profile = await resolveProfile(project, join(project.root, 'elsewhere/child.yaml'))
  t.deepEqual(
    { ...profile, stages: profile.stages.map(({ stage, settings }) => [stage.name, settings]) },
    {
      name: 'child',
      summary: 'The profile child',
      hostname: 'node',
      base: { kind: 'image', from: 'file', name: 'images/base.img', path: join(project.root, 'images/base.img') },
      suite: 'forky',
      target: 'rpi-arm64',
      architecture: 'arm64',
      output: 'child',
      stages: [
        ['first-boot', {}],
        ['ssh', {}],
        ['pub', { port: 2, peers: ['a', 'b'], open: false }],
        ['portal', {}],
      ],
      extraPackages: ['tmux', 'htop'],
      image: { bootMiB: 128, marginMiB: 64 },
    },
  )
})

test('a profile fills slots of its stages; the nearest has the last word', async (t) => {
  const stage = stageYaml('x', "slots: [{name: tool, description: A tool, path: /usr/bin/tool, mode: '0755'}]")
  const [near, far] = ['a'.repeat(64), 'b'.repeat(64)]
  const project = await makeProject(t, {
    'stages/x/stage.yaml': stage,
    'stages/profiles/bare.yaml': profileYaml('bare', 'stages: [x]'),
    'stages/profiles/base.yaml': profileYaml(
      'base',
      'extends: bare',
      `artifacts: {x: {tool: {url: 'https://x.example/t.deb', sha256: ${far}}}}`,
    ),
    'stages/profiles/child.yaml': profileYaml(
      'child',
      'extends: base',
      `artifacts: {x: {tool: {file: t.tar.gz, member: bin/tool2, sha256: ${near}}}}`,
    ),
  })
  const artifactsOf = async (profile: string) => (await resolveProfile(project, profile)).stages[0]?.stage.artifacts
  const common = { name: 'tool', path: '/usr/bin/tool', mode: 0o755 }
  t.deepEqual(await artifactsOf('bare'), [])
  t.deepEqual(await artifactsOf('base'), [{ ...common, url: 'https://x.example/t.deb', sha256: far, member: 'tool' }])
  t.deepEqual(await artifactsOf('child'), [{ ...common, file: 't.tar.gz', sha256: near, member: 'bin/tool2' }])
})

test('a slot that unpacks takes all that an archive holds', async (t) => {
  const project = await makeProject(t, {
    'stages/x/stage.yaml': stageYaml('x', 'slots: [{name: app, description: An app, path: /srv/app, unpack: true}]'),
    'stages/profiles/whole.yaml': profileYaml(
      'whole',
      'stages: [x]',
      `artifacts: {x: {app: {file: a.tar.gz, sha256: ${'a'.repeat(64)}}}}`,
    ),
    'stages/profiles/part.yaml': profileYaml(
      'part',
      'stages: [x]',
      `artifacts: {x: {app: {file: a.tar.gz, sha256: ${'a'.repeat(64)}, member: x}}}`,
    ),
  })
  t.deepEqual((await resolveProfile(project, 'whole')).stages[0]?.stage.artifacts, [
    { name: 'app', path: '/srv/app', mode: 0o644, unpack: true, file: 'a.tar.gz', sha256: 'a'.repeat(64) },
  ])
  const error = await t.throwsAsync(resolveProfile(project, 'part'), { instanceOf: PibakeError })
  t.is(error?.code, 'CONFIG_INVALID')
  t.true(error?.details.some((line) => line.includes('no `member` to name')))
})

test('a profile that does not exist is an unknown name, with a suggestion and the list', async (t) => {
  const project = await makeProject(t, {
    'stages/profiles/pub.yaml': profileYaml('pub'),
    'stages/profiles/matrix.yaml': profileYaml('matrix'),
  })
  const error = await t.throwsAsync(resolveProfile(project, 'pbu'), { instanceOf: PibakeError })
  t.is(error?.code, 'UNKNOWN_NAME')
  t.is(error?.message, 'There is no profile `pbu`.')
  t.deepEqual(error?.details, ['matrix', 'pub'])
  const near = await t.throwsAsync(resolveProfile(project, 'matrx'), { instanceOf: PibakeError })
  t.is(near?.hint, 'Did you mean `matrix`?')
})

test('stages and profiles are listed by name; the profiles folder is no stage', async (t) => {
  const project = await makeProject(t, {
    ...four,
    'stages/schema/x.json': '{}',
    'stages/ssh/npm/package.json': '{}',
    'stages/ssh/npm/package-lock.json': '{}',
    'stages/profiles/b.yaml': profileYaml('b'),
    'stages/profiles/a.yaml': profileYaml('a'),
  })
  const stages = await listStages(project)
  t.deepEqual(
    stages.map(({ name, npm }) => [name, npm]),
    [
      ['first-boot', false],
      ['portal', false],
      ['pub', false],
      ['ssh', true],
    ],
  )
  t.deepEqual(
    (await listProfiles(project)).map(({ name }) => name),
    ['a', 'b'],
  )
})

const withUefi = {
  ...four,
  'stages/uefi/stage.yaml': stageYaml('uefi'),
  'stages/cloud-init/stage.yaml': stageYaml('cloud-init', 'needs: [first-boot]'),
  'stages/profiles/a.yaml': profileYaml('a', 'stages: [portal, uefi]'),
}

test('a target brings its stages, its architecture and a name of its own', async (t) => {
  const project = await makeProject(t, withUefi)
  const { stages, architecture, target, output, name } = await resolveProfile(project, 'a', { target: 'vm-amd64' })
  t.deepEqual(
    stages.map(({ stage }) => stage.name),
    ['uefi', 'first-boot', 'cloud-init', 'portal'],
  )
  t.deepEqual([architecture, target, output, name], ['amd64', 'vm-amd64', 'a-vm-amd64', 'a'])
})

test('a profile that the target cannot have is refused, and says why', async (t) => {
  const project = await makeProject(t, {
    ...withUefi,
    'stages/profiles/old.yaml': profileYaml('old', 'suite: bookworm'),
    'stages/profiles/stacked.yaml': profileYaml('stacked', 'base: images/a.img'),
  })
  const because = (profile: string, message: RegExp, base?: string) =>
    t.throwsAsync(resolveProfile(project, profile, { target: 'vm-arm64', base }), { code: 'CONFIG_INVALID', message })
  await because('old', /is of bookworm, and the target needs trixie or forky/)
  await because('stacked', /starts from an image, which is for a Raspberry Pi/)
  await because('a', /starts from an image, which is for a Raspberry Pi/, 'raspios-lite-arm64')
  await t.notThrowsAsync(resolveProfile(project, 'old'))
})
