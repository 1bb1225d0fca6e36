import test from 'ava'
import { selectBootFiles } from '../../builder/boot/config-txt.ts'
import { PibakeError } from '../../builder/core/error.ts'

const pi4 = new Set(['pi4'])
const debian = [
  'config.txt',
  'cmdline.txt',
  'vmlinuz-6.12.9',
  'vmlinuz-6.12.10',
  'initrd.img-6.12.9',
  'initrd.img-6.12.10',
]

const selects = test.macro(
  (t, config: string, files: readonly string[], expected: { kernel: string; initramfs: string | undefined }) => {
    t.like(selectBootFiles(config, files, pi4), expected)
  },
)

test(
  'config.txt names kernel and initramfs',
  selects,
  'kernel=vmlinuz-6.12.9\ninitramfs initrd.img-6.12.9 followkernel\n',
  debian,
  {
    kernel: 'vmlinuz-6.12.9',
    initramfs: 'initrd.img-6.12.9',
  },
)
test('without names the newest kernel by version, and its initramfs', selects, 'arm_64bit=1\n', debian, {
  kernel: 'vmlinuz-6.12.10',
  initramfs: 'initrd.img-6.12.10',
})
test(
  'a section for another board does not apply, a later [all] does',
  selects,
  '[pi3]\nkernel=a\n[all]\nkernel=b\n',
  ['a', 'b'],
  {
    kernel: 'b',
    initramfs: undefined,
  },
)
test(
  'a section for this board applies',
  selects,
  'kernel=a\n[pi4]\nkernel=b # newer\n[pi3]\nkernel=c\n',
  ['a', 'b', 'c'],
  {
    kernel: 'b',
    initramfs: undefined,
  },
)
test('Raspberry Pi OS: auto_initramfs', selects, 'auto_initramfs=1\r\n', ['kernel8.img', 'initramfs8'], {
  kernel: 'kernel8.img',
  initramfs: 'initramfs8',
})

test('an own cmdline file', (t) => {
  t.is(selectBootFiles('cmdline=other.txt', debian, pi4).cmdline, 'other.txt')
  t.is(selectBootFiles('', debian, pi4).cmdline, 'cmdline.txt')
})

test('no kernel is IMAGE_INVALID and names the missing one', (t) => {
  const error = t.throws(() => selectBootFiles('kernel=gone', debian, pi4), { instanceOf: PibakeError })
  t.is(error?.code, 'IMAGE_INVALID')
  t.regex(error?.message ?? '', /`gone`/)
})
