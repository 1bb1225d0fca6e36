import test from 'ava'
import { takeReply, toPieces, wrapLine } from '../../builder/boot/protocol.ts'

const nonce = '0123abc'
const reply = (text: string) => takeReply(Buffer.from(text), nonce)

test('the line itself, echoed, is not a reply', (t) => {
  t.is(reply(wrapLine('ls', nonce)), undefined)
})

test('an incomplete reply waits', (t) => {
  t.is(reply(`@@begin${nonce}@@\nhello\n@@end${nonce}=1`), undefined)
})

test('echo, prompts and carriage returns around a reply are left aside', (t) => {
  const taken = reply(`# ${wrapLine('ls', nonce)}\r\n@@begin${nonce}@@\r\nhello\r\nyou\r\n@@end${nonce}=12@@\r\n# `)
  t.is(taken?.output.toString(), 'hello\r\nyou')
  t.is(taken?.exitCode, 12)
  t.is(taken?.rest.toString(), '# ')
})

test('markers of another command are not ours', (t) => {
  t.is(reply('@@beginffff@@\nx\n@@endffff=0@@\n'), undefined)
})

test('output is kept byte for byte, and may be empty', (t) => {
  const bytes = Buffer.from([0, 255, 10, 64, 64])
  const whole = Buffer.concat([Buffer.from(`@@begin${nonce}@@\n`), bytes, Buffer.from(`\n@@end${nonce}=0@@\n`)])
  t.deepEqual(takeReply(whole, nonce)?.output, bytes)
  t.is(reply(`@@begin${nonce}@@\n\n@@end${nonce}=0@@\n`)?.output.length, 0)
})

test('pieces fit on a line of a terminal and make the whole again', (t) => {
  const bytes = Buffer.alloc(10_001, 'x')
  const pieces = toPieces(bytes)
  t.true(pieces.every((piece) => wrapLine(`p=${piece}`, nonce).length < 4096))
  t.deepEqual(Buffer.from(pieces.join(''), 'base64'), bytes)
  t.deepEqual(toPieces(new Uint8Array()), [])
})
