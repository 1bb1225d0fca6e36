import { PassThrough } from 'node:stream'
import test from 'ava'
import { untilQuit } from '../../builder/boot/quit.ts'

/** A terminal that remembers whether it is raw. */
const fakeTerminal = () => {
  const raw: boolean[] = []
  return Object.assign(new PassThrough(), { isTTY: true, raw, setRawMode: (on: boolean) => raw.push(on) })
}

test('Ctrl-C on a terminal ends the wait, nothing else that is typed does, and the terminal is given back', async (t) => {
  const terminal = fakeTerminal()
  let isOver = false
  const waiting = untilQuit(terminal, new AbortController().signal).then(() => {
    isOver = true
  })
  terminal.write('hello\r')
  await new Promise(setImmediate)
  t.false(isOver)
  terminal.write('\x03')
  await waiting
  t.deepEqual(terminal.raw, [true, false])
  t.is(terminal.listenerCount('data'), 0)
})

test('a signal ends it, also one that has fired, and a pipe is left alone', async (t) => {
  const pipe = new PassThrough()
  const controller = new AbortController()
  const waiting = untilQuit(pipe, controller.signal)
  t.is(pipe.listenerCount('data'), 0)
  controller.abort()
  await waiting
  await untilQuit(pipe, controller.signal)
  t.pass()
})
