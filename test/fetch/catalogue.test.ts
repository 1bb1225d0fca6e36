import test from 'ava'
import { findImage, readCatalogue } from '../../builder/fetch/catalogue.ts'

const digest = 'a'.repeat(64)
const lite = (date: string, suite: string, kind = 'raspios_lite_arm64') => ({
  name: `Raspberry Pi OS Lite ${date}`,
  description: 'A port of Debian',
  url: `https://images.example/${kind}/images/${kind}-${date}/${date}-raspios-${suite}-arm64-lite.img.xz`,
  extract_size: 2_759_852_032,
  extract_sha256: digest,
  image_download_size: 507_000_000,
  image_download_sha256: 'b'.repeat(64),
  release_date: date,
  devices: ['pi5-64bit', 'pi4-64bit'],
  init_format: 'cloudinit-rpi',
})

const list = {
  imager: { latest_version: '2.0.0', url: 'https://images.example/imager/', devices: [] },
  os_list: [
    lite('2025-10-01', 'trixie'),
    {
      name: 'Raspberry Pi OS (other)',
      description: 'More',
      subitems: [
        lite('2025-05-13', 'bookworm'),
        { ...lite('2025-05-06', 'bullseye', 'raspios_oldstable_lite_arm64'), release_date: 'yesterday' },
        { name: 'Media', description: '', subitems_url: 'https://images.example/media.json' },
        { name: 'Elsewhere', description: '', subitems_url: 'https://elsewhere.example/list.json' },
      ],
    },
    { name: 'Erase', description: 'Format card', url: 'internal://format' },
    { name: 'nonsense' },
    7,
  ],
}
const media = { os_list: [{ name: 'Player OS 12 (64-bit)', url: 'https://player.example/p.zip' }] }
const files: Readonly<Record<string, string>> = {
  'https://images.example/os.json': JSON.stringify(list),
  'https://images.example/media.json': JSON.stringify(media),
  'https://images.example/empty.json': '{}',
  'https://images.example/login.html': '<html>',
}

const read = (name: string, asked: string[] = []) =>
  readCatalogue(`https://images.example/${name}`, async (url) => {
    asked.push(url)
    return files[url]
  })

test('images of all groups on the same server, by names that stay from release to release', async (t) => {
  const asked: string[] = []
  const images = await read('os.json', asked)
  t.deepEqual(
    images.map(({ name, release }) => [name, release]),
    [
      ['raspios-lite-arm64', '2025-10-01'],
      ['raspios-lite-arm64', '2025-05-13'],
      ['raspios-oldstable-lite-arm64', undefined],
      ['player-os-12-64-bit', undefined],
    ],
  )
  t.deepEqual(asked, ['https://images.example/os.json', 'https://images.example/media.json'])
  const [first] = images
  t.deepEqual([first?.archiveBytes, first?.imageBytes], [507_000_000, 2_759_852_032])
  t.deepEqual(first?.imager, { devices: ['pi4-64bit', 'pi5-64bit'], initFormat: 'cloudinit-rpi' })
  t.deepEqual(images.at(-1)?.imager, {})
  t.deepEqual([String(first?.archiveSha256), String(first?.imageSha256)], ['b'.repeat(64), digest])
})

test('a name is its newest release, or the one of a date', async (t) => {
  const images = await read('os.json')
  t.is(findImage(images.toReversed(), 'raspios-lite-arm64').release, '2025-10-01')
  t.is(findImage(images, 'raspios-lite-arm64@2025-05-13').release, '2025-05-13')
})

test('what is not there is named, with what was probably meant', async (t) => {
  const images = await read('os.json')
  const misspelt = t.throws(() => findImage(images, 'raspios-light-arm64'), { code: 'UNKNOWN_NAME' })
  t.true(String((misspelt as { hint?: string }).hint).includes('raspios-lite-arm64'))
  const old = t.throws(() => findImage(images, 'raspios-lite-arm64@2019-01-01'), { code: 'UNKNOWN_NAME' })
  t.regex(old?.message ?? '', /no `raspios-lite-arm64` of 2019-01-01/)
})

for (const name of ['empty.json', 'login.html', 'absent.json']) {
  test(`${name} is no catalogue`, async (t) => {
    await t.throwsAsync(read(name), { code: 'NETWORK', message: /is no catalogue of images/ })
  })
}
