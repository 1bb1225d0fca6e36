/**
 * What Raspberry Pi publishes for everyone: the list of images that its Imager offers (github.com/raspberrypi/rpi-imager,
 * `OSLIST_URL` in src/config.h) and the key that it signs them with. The key is trusted by its fingerprint, wherever it
 * comes from.
 */
export const raspberryPi = {
  catalogue: 'https://downloads.raspberrypi.com/os_list_imagingutility_v4.json',
  key: {
    owner: 'Raspberry Pi Downloads Signing Key',
    fingerprint: '54C3DD610D9D1B4AF82A37758738CD6B956F460C',
    address: 'https://www.raspberrypi.org/raspberrypi_downloads.gpg.key',
  },
} as const

/** Environment variable with the address of another catalogue of the same format. */
export const catalogueVariable = 'PIBAKE_CATALOGUE'

/** Environment variable with a file, or a folder of files, of public keys that may sign images in place of the publisher's. */
export const keysVariable = 'PIBAKE_BASE_KEYS'
