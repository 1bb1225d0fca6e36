import test from 'ava'
import { profileRequest } from '../../builder/lock/profile-request.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import { makeProject, profileYaml, stageYaml } from '../profile/_project.ts'

const own: Readonly<Record<string, readonly string[]>> = {
  bookworm: ['usr-is-merged'],
  trixie: [],
  forky: ['mount'],
}

for (const [suite, packages] of Object.entries(own)) {
  test(`the base of ${suite}: the kernel, and what only this suite has to be told`, async (t) => {
    const project = await makeProject(t, { 'stages/profiles/a.yaml': profileYaml('a', `suite: ${suite}`) })
    const request = profileRequest(await resolveProfile(project, 'a'), undefined)
    t.is(request.suite, suite)
    t.deepEqual(
      request.steps.map(({ name, essential }) => [name, essential]),
      [['base', true]],
    )
    const asked = request.steps[0]?.packages ?? []
    t.true(['systemd', 'raspi-firmware', 'linux-image-arm64'].every((name) => asked.includes(name)))
    const others = Object.values(own).flat()
    t.deepEqual(
      asked.filter((name) => others.includes(name)),
      packages,
    )
  })
}

test('what stages take from other suites is joined; the own suite is none', async (t) => {
  const project = await makeProject(t, {
    'stages/a/stage.yaml': stageYaml('a', 'packages: [xx]', 'packagesFrom: {sid: [yy, xx], forky: [zz]}'),
    'stages/b/stage.yaml': stageYaml('b', 'packagesFrom: {sid: [xx, ww]}'),
    'stages/profiles/p.yaml': profileYaml('p', 'suite: forky', 'stages: [a, b]'),
  })
  const { packagesFrom } = profileRequest(await resolveProfile(project, 'p'), undefined)
  t.deepEqual(packagesFrom, { sid: ['ww', 'xx', 'yy'] })
})

test('a profile on an image asks for its stages alone, on top of what the image has', async (t) => {
  const project = await makeProject(t, {
    'stages/ssh/stage.yaml': stageYaml('ssh', 'packages: [openssh-server]', 'needs: [clock]'),
    'stages/clock/stage.yaml': stageYaml('clock'),
    'stages/profiles/a.yaml': profileYaml('a', 'base: images/b.img', 'stages: [ssh]', 'extraPackages: [tmux]'),
  })
  const { steps, status, extras } = profileRequest(await resolveProfile(project, 'a'), { status: 'Package: x\n' })
  t.deepEqual(
    steps.map(({ stagePackage }) => stagePackage),
    [
      { name: 'pibake-clock', depends: [] },
      { name: 'pibake-ssh', depends: ['openssh-server', 'pibake-clock'] },
    ],
  )
  t.is(status, 'Package: x\n')
  t.deepEqual(extras, ['tmux'])
})
