import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { findRegistry, tarballUrl } from '../../builder/fetch/registry.ts'
import { scratch } from '../support/scratch.ts'

const tarballs: [name: string, version: string, path: string][] = [
  ['ip', '2.0.1', 'ip/-/ip-2.0.1.tgz'],
  ['@scope/pkg', '1.0.0-beta.1', '@scope/pkg/-/pkg-1.0.0-beta.1.tgz'],
]

for (const [name, version, path] of tarballs) {
  test(`tarball of ${name}`, (t) => {
    t.is(tarballUrl('http://registry.invalid/npm/', name, version), `http://registry.invalid/npm/${path}`)
    t.is(tarballUrl('http://registry.invalid', name, version), `http://registry.invalid/${path}`)
  })
}

test('the variable comes first', async (t) => {
  const environment = { npm_config_registry: 'http://registry.invalid/x/', PATH: '/nonexistent' }
  t.is(await findRegistry({ environment }), 'http://registry.invalid/x')
  await t.throwsAsync(findRegistry({ environment: { npm_config_registry: 'nonsense' } }), { code: 'NETWORK' })
})

test('else npm from PATH is asked, in the home of the user', async (t) => {
  const folder = await scratch(t)
  await mkdir(join(folder, 'bin'))
  await writeFile(join(folder, 'bin', 'npm'), '#!/bin/sh\necho "http://registry.invalid$HOME/$*" | tr " " -\n')
  await chmod(join(folder, 'bin', 'npm'), 0o755)
  const environment = { PATH: `/nonexistent:${join(folder, 'bin')}:/usr/bin:/bin`, HOME: '/home' }
  t.is(await findRegistry({ environment }), 'http://registry.invalid/home/config-get-registry')
})
