import type { ImageTakes } from '../../builder/card/image-takes.ts'

/** What an image like that of `mesh` takes. */
export const meshTakes: ImageTakes = {
  stages: new Set(['first-boot', 'ssh', 'imager', 'yggdrasil', 'access-point', 'avahi', 'portal']),
  settings: new Map([
    ['first-boot', new Map(Object.entries({ hostname: 'mesh', 'hostname-suffix': 'true', timezone: 'UTC' }))],
    ['yggdrasil', new Map(Object.entries({ peers: '', listen: '' }))],
    ['portal', new Map(Object.entries({ title: '' }))],
    [
      'access-point',
      new Map(
        Object.entries({ ssid: '', open: 'false', channel: '6', country: '', address: '10.43.0.1', domain: 'mesh' }),
      ),
    ],
  ]),
  takesSettings: true,
  hasUsers: true,
  accounts: new Set(['root', 'daemon', 'www-data']),
}

/** What an image like that of `pub` takes: it has no Wi-Fi of its own, and answers to no name. */
export const pubTakes: ImageTakes = {
  ...meshTakes,
  stages: new Set(['first-boot', 'ssh', 'imager', 'yggdrasil', 'portal']),
  settings: new Map([...meshTakes.settings].filter(([name]) => name !== 'access-point')),
}

/** What an image takes that was baked before cards had settings of their own. */
export const oldTakes: ImageTakes = { ...meshTakes, takesSettings: false, hasUsers: false }

export const sshKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ada@desk'
