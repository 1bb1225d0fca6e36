import test from 'ava'
import { type Base, basePattern, baseSlug, readBase } from '../../builder/profile/base.ts'

const file = (name: string, path: string): Base => ({ kind: 'image', from: 'file', name, path })
const address = (name: string): Base => ({ kind: 'image', from: 'address', name })

const bases: [text: string, base: Base, slug: string][] = [
  ['debian', { kind: 'debian' }, 'debian'],
  ['images/pub.img', file('images/pub.img', '/checkout/images/pub.img'), 'pub'],
  [
    '/home/me/2025-10-01-RaspiOS.img.xz',
    file('2025-10-01-RaspiOS.img.xz', '/home/me/2025-10-01-RaspiOS.img.xz'),
    '2025-10-01-raspios',
  ],
  ['../x y.zip', file('x y.zip', '/x y.zip'), 'x-y'],
  ['https://images.example/a/b.img.gz', address('https://images.example/a/b.img.gz'), 'b'],
  [
    'raspios-lite-arm64',
    { kind: 'image', from: 'catalogue', name: 'raspios-lite-arm64', release: undefined },
    'raspios-lite-arm64',
  ],
  [
    'raspios-lite-arm64@2025-05-13',
    { kind: 'image', from: 'catalogue', name: 'raspios-lite-arm64@2025-05-13', release: '2025-05-13' },
    'raspios-lite-arm64-2025-05-13',
  ],
]

for (const [text, base, slug] of bases) {
  test(`\`${text}\` is understood`, (t) => {
    t.regex(text, basePattern)
    t.deepEqual(readBase(text, { folder: '/checkout', checkout: '/checkout' }), base)
    t.is(baseSlug(base), slug)
  })
}

for (const text of ['', 'Raspberry Pi OS', 'raspios@yesterday', './image', 'ftp://images.example/x', '.img']) {
  test(`\`${text}\` is no base`, (t) => {
    t.notRegex(text, basePattern)
  })
}

test('a file outside of the checkout keeps its own name alone, so that a lock names no path of a machine', (t) => {
  const base = readBase('x.img', { folder: '/elsewhere', checkout: '/checkout' })
  t.deepEqual(base, file('x.img', '/elsewhere/x.img'))
})
