import { PibakeError } from '../core/error.ts'
import { formatBytes } from '../core/size.ts'
import type { CatalogueImage } from '../fetch/catalogue.ts'
import { renderTable } from '../report/table.ts'
import { defineCommand } from './command.ts'

const size = (bytes: number | undefined): string => (bytes === undefined ? '' : formatBytes(bytes))

const isRaspberryPiOs = ({ name }: CatalogueImage): boolean => name.startsWith('raspios-')

export const bases = defineCommand({
  options: {
    all: { type: 'boolean', default: false, describe: 'Also the images of others that the catalogue has' },
  },
  positionals: {},
  examples: [
    ['$0 bases', 'Names for `--base`, with the date of each'],
    ['sudo $0 --profile mirror --base raspios-lite-arm64', 'Bake upon one of them'],
  ],
  async run({ all }, { signal, options }) {
    if (options.offline) {
      throw new PibakeError('USAGE', '`bases` needs the network.', { hint: 'Leave `--offline` away.' })
    }
    const { fetchCatalogue } = await import('../fetch/catalogue.ts')
    const images = (await fetchCatalogue({ signal })).filter((image) => all || isRaspberryPiOs(image))
    return {
      data: images,
      lines: (paint) =>
        images.length === 0
          ? ['The catalogue has no image of Raspberry Pi OS; `--all` lists what it has.']
          : renderTable(
              images.map(({ name, release, archiveBytes, imageBytes, title }) => [
                paint('bold', name),
                release ?? '',
                size(archiveBytes),
                size(imageBytes),
                title,
              ]),
            ),
    }
  },
})
