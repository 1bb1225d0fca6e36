import test from 'ava'
import { createSerialLog, fatalMeaning, plainText } from '../../builder/boot/serial.ts'

test('plain text has no escape sequences, carriage returns or control bytes', (t) => {
  t.is(plainText('\x1b[0;32m  OK  \x1b[0m Started\r\n'), '  OK   Started\n')
  t.is(plainText('\x1b]0;title\x07a\x1b[?2004hb\x1bc\x00c\td'), 'abc\td')
})

const fatal = test.macro((t, line: string, expected: RegExp) => t.regex(fatalMeaning(line) ?? '', expected))
test('a panic', fatal, '[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs', /panicked/)
test('emergency mode', fatal, 'You are in emergency mode. After logging in, type', /emergency/)
test(
  'a locked root in emergency mode',
  fatal,
  'Cannot open access to console, the root account is locked.',
  /emergency/,
)
test(
  'no root file system',
  fatal,
  'ALERT!  PARTUUID=aabbccdd-02 does not exist.  Dropping to a shell!',
  /root file system/,
)
test('the shell of the initramfs', fatal, '(initramfs) ', /initramfs/)
test('an ordinary line is not fatal', (t) => {
  t.is(fatalMeaning('[  OK  ] Reached target multi-user.target - Multi-User System.'), undefined)
})

test('lines are cut across chunks, kept as a tail, and a fatal prompt is seen without its line end', (t) => {
  const seen: string[] = []
  const fatal: string[] = []
  const log = createSerialLog({ onLine: (line) => seen.push(line), onFatal: (what) => fatal.push(what), keepLines: 3 })
  for (const chunk of ['one\r', '\ntw', 'o\n\n\x1b[1mthree\n', 'four\n(initra', 'mfs) ', 'x'])
    log.write(Buffer.from(chunk))
  t.deepEqual(seen, ['one', 'two', 'three', 'four'])
  t.deepEqual(fatal, ['the initramfs stopped at its shell'])
  t.deepEqual(log.tail(), ['two', 'three', 'four', '(initramfs) x'])
})

test('a character that arrives in two halves', (t) => {
  const seen: string[] = []
  const log = createSerialLog({ onLine: (line) => seen.push(line), onFatal: t.fail })
  const bytes = Buffer.from('ü\n')
  log.write(bytes.subarray(0, 1))
  log.write(bytes.subarray(1))
  t.deepEqual(seen, ['ü'])
})
