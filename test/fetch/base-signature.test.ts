import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { generateKey } from 'openpgp'
import { baseKeys } from '../../builder/fetch/base-signature.ts'
import { raspberryPi } from '../../builder/fetch/publisher.ts'
import { scratch } from '../support/scratch.ts'

const makeKey = (name: string) =>
  generateKey({ type: 'rsa', rsaBits: 2048, userIDs: [{ name }], format: 'object', date: new Date('2026-01-01') })

const [publisher, stranger] = await Promise.all([makeKey('Publisher'), makeKey('Stranger')])
test('keys come from the file or folder that is set', async (t) => {
  const folder = await scratch(t)
  await mkdir(join(folder, 'keys'))
  await writeFile(join(folder, 'keys', 'a.asc'), publisher.publicKey.armor())
  await writeFile(join(folder, 'keys', 'b.pgp'), stranger.publicKey.write())
  const never = () => Promise.reject(new Error('nothing is to be fetched'))
  const names = async (path: string) =>
    (await baseKeys(never, { PIBAKE_BASE_KEYS: path })).map((key) => key.getFingerprint())
  const [first, second] = [publisher, stranger].map(({ publicKey }) => publicKey.getFingerprint())
  t.deepEqual(await names(join(folder, 'keys')), [first, second])
  t.deepEqual(await names(join(folder, 'keys', 'b.pgp')), [second])
  await writeFile(join(folder, 'none'), 'no key')
  await t.throwsAsync(names(join(folder, 'none')), { code: 'CONFIG_INVALID', message: /holds no public keys/ })
  await t.throwsAsync(names(join(folder, 'absent')), { code: 'CONFIG_INVALID' })
})

test("the publisher's key is believed by its fingerprint only", async (t) => {
  const asked: string[] = []
  const fetchKey = (text: string | undefined) =>
    baseKeys(async (url) => {
      asked.push(url)
      return text
    }, {})
  for (const text of [stranger.publicKey.armor(), '<html>', undefined]) {
    await t.throwsAsync(fetchKey(text), { code: 'SIGNATURE_INVALID', message: /is not the Raspberry Pi Downloads/ })
  }
  t.is(asked[0], raspberryPi.key.address)
})
