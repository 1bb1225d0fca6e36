import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { assertSound, startsPrograms } from '../../builder/host/emulation.ts'

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

test('a 32-bit system is baked with native twins or not at all', (t) => {
  t.notThrows(() => assertSound('armhf', { emulation: 'private', twins: true }))
  t.notThrows(() => assertSound('armhf', { emulation: undefined, twins: false }))
  t.notThrows(() => assertSound('arm64', { emulation: 'host', twins: false }))
  for (const way of [
    { emulation: 'private', twins: false },
    { emulation: 'host', twins: true },
  ] as const) {
    const error = t.throws(() => assertSound('armhf', way), { instanceOf: PibakeError })
    t.is(error.code, 'HOST_UNSUPPORTED')
  }
})
