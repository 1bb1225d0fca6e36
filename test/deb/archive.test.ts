import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { readControl, readControlFiles, readDataFiles } from '../../builder/deb/archive.ts'
import { readDebMembers } from '../../builder/host/deb-members.ts'
import { arMember, makeDeb } from '../support/make-deb.ts'

const folder = await mkdtemp(join(tmpdir(), 'pibake-test-deb-'))
const control = { control: 'Package: x\nVersion: 1:2-3\nDescription: words\n more\n', postinst: '#!/bin/sh\n' }
const data = { 'usr/bin/x': 'program', 'etc/x.conf': 'a=1\n', 'usr/bin/y': { link: 'x' } }

for (const compression of ['gz', 'zst', ''] as const) {
  test(`control and data of a package packed with \`${compression}\``, async (t) => {
    const path = await makeDeb(join(folder, `x-${compression}.deb`), { control, data, compression })
    t.deepEqual(await readControl(path), { Package: 'x', Version: '1:2-3', Description: 'words\n more' })
    t.is((await readControlFiles(path)).get('postinst'), '#!/bin/sh\n')
    const files = await readDataFiles(path)
    t.deepEqual([...files.keys()].sort(), ['etc/x.conf', 'usr/bin/x'])
    t.is(files.get('usr/bin/x')?.toString(), 'program')
  })
}

test('members have their places', async (t) => {
  const path = await makeDeb(join(folder, 'members.deb'), { control, data })
  const members = await readDebMembers(path)
  t.deepEqual(
    members.map(({ name }) => name),
    ['debian-binary', 'control.tar.gz', 'data.tar.gz'],
  )
  t.deepEqual(members[0], { name: 'debian-binary', offsetBytes: 68, sizeBytes: 4, modifiedSeconds: 0 })
})

const broken: Readonly<Record<string, (whole: Buffer) => Buffer>> = {
  'an empty file': () => Buffer.alloc(0),
  'a web page': () => Buffer.from('<html>Please log in</html>'),
  'one cut off in a member': (whole) => whole.subarray(0, whole.length - 100),
  'one whose first member is another': () =>
    Buffer.concat([Buffer.from('!<arch>\n'), arMember('x', Buffer.from('2.0\n'))]),
  'one without content': () =>
    Buffer.concat([Buffer.from('!<arch>\n'), arMember('debian-binary', Buffer.from('2.0\n'))]),
  'one packed in an unknown way': () =>
    Buffer.concat([
      Buffer.from('!<arch>\n'),
      arMember('debian-binary', Buffer.from('2.0\n')),
      arMember('control.tar.lrz', Buffer.from('x')),
    ]),
  'one whose control archive is damaged': (whole) => {
    const damaged = Buffer.from(whole)
    damaged.fill(0, 68 + 4 + 60 + 20, 68 + 4 + 60 + 60)
    return damaged
  },
}

for (const [name, breakIt] of Object.entries(broken)) {
  test(`not a package: ${name}`, async (t) => {
    const slug = name.replaceAll(' ', '-')
    const whole = await makeDeb(join(folder, `${slug}-whole.deb`), { control, data })
    const path = join(folder, `${slug}.deb`)
    await writeFile(path, breakIt(await readFile(whole)))
    const error = await t.throwsAsync(readControl(path), { instanceOf: PibakeError })
    t.is(error?.code, 'CACHE_CORRUPT')
    t.true(error?.message.includes(path))
  })
}
