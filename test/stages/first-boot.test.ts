import { chmod, mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { runCommand } from '../../builder/host/command.ts'
import { scratch } from '../support/scratch.ts'
import { checkout } from '../support/tools.ts'

const folder = join(checkout, 'overlays/first-boot/usr/lib/pibake/first-boot')
const machineId = '0123456789abcdef0123456789abcdef'
const ownName = /^village-[0-9a-f]{4}$/
const zones = '/usr/share/zoneinfo'

/** A root of the test's own on which the stage's script runs, `isUp` when the system has been started already. */
const makeNode = async (t: ExecutionContext) => {
  const root = await scratch(t)
  const put = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
  await put('etc/pibake/first-boot.conf', 'HOSTNAME=village\nHOSTNAME_SUFFIX=true\nTIMEZONE=Europe/Berlin\n')
  await put('etc/machine-id', `${machineId}\n`)
  await put('etc/hosts', '127.0.0.1\tlocalhost\n127.0.1.1\told.example.org old\n')
  await put('etc/hostname', 'old\n')
  await put('proc/sys/kernel/hostname', 'old\n')
  for (const zone of ['Europe/Berlin', 'Asia/Tokyo']) await put(join(zones, zone), '')
  await symlink(join(zones, 'Asia/Tokyo'), join(root, 'etc/localtime'))
  await mkdir(join(root, 'boot/firmware'), { recursive: true })
  const text = await readFile(join(folder, 'setup'), 'utf8')
  await put('setup', text.replaceAll(/(?<![\w/}])\/(?=(?:etc|proc|run|usr|var|boot)\/)/g, `${root}/`))
  await put('usr/lib/pibake/first-boot/take-settings', '#!/bin/sh\n')
  await put('bin/systemctl', '#!/bin/sh\n[ "$2" = is-active ] && [ "$3" = sysinit.target ] && [ -n "$IS_UP" ]\n')
  for (const path of ['usr/lib/pibake/first-boot/take-settings', 'bin/systemctl']) await chmod(join(root, path), 0o755)
  const read = async (path: string): Promise<string> => (await readFile(join(root, path), 'utf8')).trim()
  return {
    put,
    start: async ({ isUp }: { isUp: boolean }) => {
      const env = { PATH: `${join(root, 'bin')}:/usr/sbin:/usr/bin:/sbin:/bin`, IS_UP: isUp ? 'yes' : '' }
      const { stdout } = await runCommand(['sh', join(root, 'setup')], { env })
      return stdout
    },
    name: async (): Promise<string> => {
      t.is(await read('etc/hostname'), await read('proc/sys/kernel/hostname'))
      t.is(await read('etc/hostname'), await read('var/lib/pibake/first-boot/hostname'))
      return read('etc/hostname')
    },
    hosts: () => read('etc/hosts'),
    zone: async () => (await readlink(join(root, 'etc/localtime'))).split('/zoneinfo/')[1],
  }
}

test('a fresh card gets a name and a time zone of its own at its first boot, and keeps them', async (t) => {
  const node = await makeNode(t)
  t.regex(await node.start({ isUp: false }), /^host name: village-/m)
  const name = await node.name()
  t.regex(name, ownName)
  t.is(await node.hosts(), `127.0.0.1\tlocalhost\n127.0.1.1\t${name}`)
  t.is(await node.zone(), 'Europe/Berlin')
  for (const isUp of [false, true]) {
    t.is(await node.start({ isUp }), '')
    t.is(await node.name(), name)
  }
})

test('a machine that runs when the package comes keeps its name and time zone, at later boots too', async (t) => {
  const node = await makeNode(t)
  const hosts = await node.hosts()
  t.regex(await node.start({ isUp: true }), /keeps its host name and time zone/)
  for (const isUp of [false, true]) {
    t.is(await node.start({ isUp }), '')
    t.is(await node.name(), 'old')
    t.is(await node.hosts(), hosts)
    t.is(await node.zone(), 'Asia/Tokyo')
  }
})

test('whose power was cut while the package came is not taken for a fresh card', async (t) => {
  const node = await makeNode(t)
  await node.put('var/lib/pibake/first-boot/kept', '')
  await node.start({ isUp: false })
  t.is(await node.name(), 'old')
})

test('what is asked for afterwards is done on such a machine as well', async (t) => {
  const node = await makeNode(t)
  await node.start({ isUp: true })
  await node.put('boot/firmware/hostname', 'mill\n')
  await node.put('etc/pibake/first-boot.conf', 'TIMEZONE=Europe/Berlin\n')
  await node.start({ isUp: false })
  t.is(await node.name(), 'mill')
  t.is(await node.zone(), 'Asia/Tokyo')
  await node.put('usr/share/zoneinfo/Europe/Paris', '')
  await node.put('etc/pibake/first-boot.conf', 'TIMEZONE=Europe/Paris\n')
  await node.start({ isUp: false })
  t.is(await node.zone(), 'Europe/Paris')
})
