import { access, lstat, mkdir, readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { runTool } from '../../builder/host/sandbox.ts'
import { stageYaml, temporaryFolder, writeFiles } from '../profile/_project.ts'
import { tools } from '../support/tools.ts'
import { build, longPath, makeCheckout } from './_package.ts'

const haveTools = await access(join(tools.root, 'usr/bin/dpkg-deb')).then(
  () => true,
  () => false,
)

/** Skipped without a tools tree: `test/run` sets one up, PIBAKE_TOOLS names another. */
const realTest = haveTools ? test : test.skip

const dpkgDeb = async (path: string, ...args: string[]): Promise<string> =>
  (await runTool(tools, ['dpkg-deb', ...args, path], { readOnly: [path] })).stdout

const controlOf = async (t: ExecutionContext, path: string): Promise<(name: string) => Promise<string>> => {
  const folder = await temporaryFolder(t)
  await runTool(tools, ['dpkg-deb', '--control', path, folder], { readOnly: [path], writable: [folder] })
  return (name) => readFile(join(folder, name), 'utf8')
}

realTest('dpkg-deb reads the fields', async (t) => {
  const { path } = await build(await makeCheckout(t))
  const fields = await dpkgDeb(path, '--field')
  for (const line of ['Package: pibake-all', 'Version: 1.0', 'Depends: nodejs, libc6, pibake-first']) {
    t.true(fields.split('\n').includes(line), line)
  }
  t.regex(await dpkgDeb(path, '--info'), /new Debian package, version 2\.0/)
})

realTest('dpkg-deb lists owners, modes, times, links and long names', async (t) => {
  const { path } = await build(await makeCheckout(t))
  const lines = (await dpkgDeb(path, '--contents')).split('\n')
  const line = (suffix: string) => lines.find((text) => text.endsWith(` ./${suffix}`))
  t.regex(line('') ?? '', /^drwxr-xr-x root\/root +0 2023-11-14 22:13 /)
  t.regex(line('usr/bin/all') ?? '', /^-rwxr-xr-x root\/root +17 2023-11-14 22:13 /)
  t.regex(line('usr/lib/pibake/checks/all/up') ?? '', /^-rwxr-xr-x root\/root /)
  t.regex(line('etc/all.conf') ?? '', /^-rw-r--r-- root\/root /)
  t.regex(line('opt/pibake/all/node_modules/') ?? '', /^drwxr-xr-x root\/root /)
  t.regex(line('opt/pibake/all/node_modules/.bin/a -> ../a/index.js') ?? '', /^lrwxrwxrwx root\/root /)
  t.truthy(line(`opt/pibake/all/node_modules/${longPath}`))
  t.truthy(line(`opt/pibake/all/node_modules/link -> ${longPath}`))
  t.deepEqual(
    lines.filter((text) => !text.includes(' root/root ')),
    [],
  )
})

realTest('dpkg-deb extracts the bytes, names beyond ASCII too', async (t) => {
  const { path } = await build(await makeCheckout(t))
  const folder = await temporaryFolder(t)
  await runTool(tools, ['dpkg-deb', '--extract', path, folder], { readOnly: [path], writable: [folder] })
  const modules = join(folder, 'opt/pibake/all/node_modules')
  t.is(await readFile(join(modules, longPath), 'utf8'), 'deep\n')
  t.is(await readFile(join(modules, 'é/ü.js'), 'utf8'), 'accents\n')
  t.is(await readlink(join(modules, 'link')), longPath)
  t.is(await readFile(join(folder, 'opt/pibake/all/package.json'), 'utf8'), '{"name":"all"}\n')
  t.regex(await readFile(join(folder, 'etc/pibake/all.conf'), 'utf8'), /^GREETING="it's"$/m)
  t.deepEqual(JSON.parse(await readFile(join(folder, 'usr/share/pibake/stages/all.json'), 'utf8')), {
    name: 'all',
    version: '1.0',
    summary: 'The stage all',
    portal: { title: 'All', description: 'Everything', path: '/all/' },
    checks: [{ name: 'up', title: 'It is up', path: '/usr/lib/pibake/checks/all/up', timeoutSeconds: 60 }],
  })
})

realTest('plain files below /etc are conffiles and have no md5sum', async (t) => {
  const control = await controlOf(t, (await build(await makeCheckout(t))).path)
  t.is(await control('conffiles'), '/etc/all.conf\n/etc/pibake/all.conf\n')
  const sums = (await control('md5sums')).trimEnd().split('\n')
  t.true(sums.includes('33e4fd94e2560e008e2c3b431d0e3419  usr/bin/all'))
  t.false(sums.some((sum) => / {2}etc\//.test(sum)))
  t.is(await control('triggers'), 'activate-noawait ldconfig\n')
})

realTest('the maintainer scripts are shell', async (t) => {
  const { path } = await build(await makeCheckout(t))
  const folder = await temporaryFolder(t)
  await runTool(tools, ['dpkg-deb', '--control', path, folder], { readOnly: [path], writable: [folder] })
  for (const name of ['postinst', 'prerm', 'postrm']) {
    const script = join(folder, name)
    t.is((await lstat(script)).mode & 0o777, 0o755)
    await runTool(tools, ['sh', '-n', script], { readOnly: [folder] })
  }
})

realTest('postinst and postrm do their work in a root without a running systemd', async (t) => {
  const { path } = await build(await makeCheckout(t))
  const folder = await temporaryFolder(t)
  const writes = join(folder, 'log')
  const bin = join(folder, 'bin')
  await mkdir(bin)
  await runTool(tools, ['dpkg-deb', '--control', path, folder], { readOnly: [path], writable: [folder] })
  const programs = ['systemctl', 'systemd-sysusers', 'systemd-tmpfiles', 'deb-systemd-helper', 'deb-systemd-invoke']
  const stub = `for program in ${programs.join(' ')}; do
    printf '#!/bin/sh\\necho "\${0##*/} $*" >> ${writes}\\n' > ${bin}/$program; chmod +x ${bin}/$program; done`
  await runTool(tools, ['sh', '-euc', stub], { writable: [folder] })
  const env = { PATH: `${bin}:/usr/sbin:/usr/bin` }
  const run = (script: string, ...args: string[]) =>
    runTool(tools, ['sh', join(folder, script), ...args], { writable: [folder], env })
  const { stdout } = await run('postinst', 'configure', '')
  t.is(stdout, 'snippet postinst configure')
  await run('prerm', 'remove')
  await run('postrm', 'purge')
  t.deepEqual((await readFile(writes, 'utf8')).trimEnd().split('\n'), [
    'systemd-sysusers all.conf',
    'systemd-tmpfiles --create --exclude-prefix=/run --exclude-prefix=/dev all.conf',
    'deb-systemd-helper --quiet was-enabled all.service',
    'deb-systemd-helper enable all.service',
    'deb-systemd-helper purge all.service',
  ])
})

realTest('dpkg installs it, knows its files, and purges all of them', async (t) => {
  const { path } = await build(
    await makeCheckout(t, {
      'stages/plain/stage.yaml': stageYaml('plain', 'settings: {a: {description: A, default: b}}'),
      'overlays/plain/etc/plain/plain.conf': 'a = 1\n',
      'overlays/plain/usr/lib/plain/data': 'data\n',
    }),
  )
  const root = await temporaryFolder(t)
  await writeFiles(root, { 'var/lib/dpkg/status': '', 'var/lib/dpkg/info/format': '1\n' })
  const dpkg = async (...args: string[]) =>
    (
      await runTool(tools, ['dpkg', `--root=${root}`, '--log=/dev/null', ...args], {
        readOnly: [path],
        writable: [root],
      })
    ).stdout
  await dpkg('--install', path)
  t.is(await dpkg('--search', '/usr/lib/plain/data'), 'pibake-plain: /usr/lib/plain/data')
  t.is(await dpkg('--verify', 'pibake-plain'), '')
  t.is(await readFile(join(root, 'etc/pibake/plain.conf'), 'utf8'), "# Settings of the stage plain.\n\n# A\nA='b'\n")
  await dpkg('--remove', 'pibake-plain')
  t.deepEqual(await readdir(join(root, 'etc')), ['pibake', 'plain'])
  await dpkg('--purge', 'pibake-plain')
  t.deepEqual(await readdir(root), ['var'])
})
