import test from 'ava'
import { readTakes } from '../../builder/card/image-takes.ts'
import { scratch } from '../support/scratch.ts'
import { debianFiles, makeSmallImage } from '../support/small-image.ts'

const stage = (name: string) => ({
  [`usr/share/pibake/stages/${name}.json`]: JSON.stringify({ name, version: '1' }),
})

test('what an image takes is read without mounting it', async (t) => {
  const image = await makeSmallImage(await scratch(t), {
    files: {
      ...stage('first-boot'),
      ...stage('portal'),
      'etc/passwd': 'root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n',
      'etc/pibake/portal.conf': `# Settings of the stage portal.\n\n# Heading.\nTITLE="It's \\"here\\""\n`,
      'usr/lib/pibake/first-boot/take-settings': '#!/bin/sh\n',
    },
  })
  t.deepEqual(await readTakes(image, 'pi.img'), {
    stages: new Set(['first-boot', 'portal']),
    settings: new Map([
      ['first-boot', new Map()],
      ['portal', new Map([['title', `It's "here"`]])],
    ]),
    takesSettings: true,
    hasUsers: false,
    accounts: new Set(['root', 'www-data']),
  })
})

test('an image that takes nothing is refused', async (t) => {
  const image = await makeSmallImage(await scratch(t), { files: { ...debianFiles(), ...stage('portal') } })
  await t.throwsAsync(readTakes(image, 'pi.img'), {
    code: 'IMAGE_INVALID',
    message: '`pi.img` takes no settings of a card.',
  })
})
