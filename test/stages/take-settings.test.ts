import { access, chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parseSettings } from '../../builder/card/image-takes.ts'
import { renderSettings } from '../../builder/deb/stage-control.ts'
import { runCommand } from '../../builder/host/command.ts'
import { scratch } from '../support/scratch.ts'
import { checkout } from '../support/tools.ts'

const script = join(checkout, 'overlays/first-boot/usr/lib/pibake/first-boot/take-settings')

const described = (values: Readonly<Record<string, string | boolean>>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { description: 'PEERS=', default: value }]))

/** Run the stage's script with a boot partition and an /etc/pibake of the test's own. */
const take = async (t: ExecutionContext, offered: string) => {
  const folder = await scratch(t)
  const [boot, conf, own] = [join(folder, 'boot'), join(folder, 'pibake'), join(folder, 'take-settings')]
  await mkdir(boot)
  await mkdir(conf)
  await writeFile(join(boot, 'settings'), offered)
  const stages = {
    yggdrasil: described({ peers: '', listen: 'x' }),
    portal: described({ title: 'Old', 'welcome-text': '' }),
  }
  for (const [name, settings] of Object.entries(stages)) {
    await writeFile(join(conf, `${name}.conf`), renderSettings({ name, settings }, {}))
  }
  const text = await readFile(script, 'utf8')
  t.regex(text, /\/boot\/firmware\/settings\b[\s\S]*\/etc\/pibake\b/)
  await writeFile(own, text.replace('/boot/firmware', boot).replace('=/etc/pibake', `=${conf}`))
  await chmod(own, 0o755)
  const { stdout, stderr } = await runCommand(['sh', own])
  const read = async (name: string) =>
    Object.fromEntries(parseSettings(await readFile(join(conf, `${name}.conf`), 'utf8')))
  const [yggdrasil, portal] = [await read('yggdrasil'), await read('portal')]
  return { yggdrasil, portal, said: `${stdout}\n${stderr}`, folder, files: await readdir(conf), boot, own, conf }
}

test('settings go where an administrator would write them, and what asked for it goes', async (t) => {
  const { yggdrasil, portal, files, boot, said, own, conf } = await take(
    t,
    'yggdrasil.peers=tls://192.0.2.1:9001 tls://[2001:db8::1]:9001\nportal.title=The orchard\nportal.welcome-text=a=b\n',
  )
  t.deepEqual(yggdrasil, { peers: 'tls://192.0.2.1:9001 tls://[2001:db8::1]:9001', listen: 'x' })
  t.deepEqual(portal, { title: 'The orchard', 'welcome-text': 'a=b' })
  t.deepEqual(files.sort(), ['portal.conf', 'yggdrasil.conf'])
  await t.throwsAsync(access(join(boot, 'settings')), { code: 'ENOENT' })
  t.false(said.includes('orchard'), 'the journal names no value')
  const before = await readFile(join(conf, 'portal.conf'), 'utf8')
  await runCommand(['sh', own])
  t.is(await readFile(join(conf, 'portal.conf'), 'utf8'), before, 'the next boot changes nothing')
})

const awkward = [
  "It's here",
  '"quoted" & $HOME \\ `id` $(id)',
  `both ' and " with \\' and \\" and \\\\`,
  '%s \\n & *',
  ' spaces around ',
  "é☃𝄞'",
  '',
]
for (const value of awkward) {
  test(`read by sh and by systemd alike: ${JSON.stringify(value)}`, async (t) => {
    const { portal, conf } = await take(t, `portal.title=${value}\n`)
    t.is(portal.title, value)
    const shell = `. ${join(conf, 'portal.conf')}; printf '<%s>' "$TITLE"`
    t.is((await runCommand(['sh', '-c', shell])).stdout, `<${value}>`)
  })
}

test('lines of Windows, no line end at the end, and what is no setting of this node', async (t) => {
  const { yggdrasil, portal, said } = await take(
    t,
    'portal.titel=x\r\nmumble.port=1\r\nPEERS=x\r\n../yggdrasil.peers=x\r\nportal.title;id=x\r\n\r\nyggdrasil.peers=tcp://192.0.2.9:1',
  )
  t.deepEqual(yggdrasil, { peers: 'tcp://192.0.2.9:1', listen: 'x' })
  t.is(portal.title, 'Old')
  t.true(said.includes('ignoring `portal.titel`: this node has no such setting'))
  t.true(said.includes('ignoring `mumble.port`: this node has no such setting'))
  t.is(said.match(/is no `stage\.setting=value`/g)?.length, 3)
})
