import test from 'ava'
import { startsPrograms } from '../../builder/host/emulation.ts'

const registration = (changes: { state?: string; flags?: string; magic?: string }): string =>
  [
    changes.state ?? 'enabled',
    'interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P',
    `flags: ${changes.flags ?? 'POCF'}`,
    'offset 0',
    `magic ${changes.magic ?? '7f454c460201010000000000000000000200b700'}`,
    'mask ffffffffffffff00fffffffffffffffffeffffff',
    '',
  ].join('\n')

const starts = test.macro((t, changes: Parameters<typeof registration>[0], expected: boolean) => {
  t.is(startsPrograms(registration(changes), 'arm64'), expected)
})

test('what qemu-user-static registers starts arm64 programs in any root', starts, {}, true)
test('a registration that is switched off does not', starts, { state: 'disabled' }, false)
test('nor one whose interpreter is looked up inside the root', starts, { flags: 'POC' }, false)
const arm = '7f454c4601010100000000000000000002002800'
test('nor one for another architecture', starts, { magic: arm }, false)

test('that one starts the programs of 32-bit systems', (t) => {
  t.true(startsPrograms(registration({ magic: arm }), 'armhf'))
  t.false(startsPrograms(registration({}), 'armhf'))
})
