import test from 'ava'
import { unpackXzWhole } from '../../builder/host/xz.ts'

/** `printf 'pibake\n' | xz` */
const packed = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAGcGliYWtlCgAAPlMta+rcb18AAR8HFi64cx+2830BAAAAAARZWg==',
  'base64',
)

test('an xz stream is unpacked', async (t) => {
  t.is((await unpackXzWhole(packed)).toString(), 'pibake\n')
})

test('a damaged stream is an error', async (t) => {
  const damaged = Buffer.from(packed)
  damaged.writeUInt8(damaged.readUInt8(30) ^ 0xff, 30)
  await t.throwsAsync(unpackXzWhole(damaged))
})

test('something else is an error', async (t) => {
  await t.throwsAsync(unpackXzWhole(Buffer.from('not xz at all, but long enough for a header')))
})
