import test from 'ava'
import { licencesOf } from '../../builder/inspect/licence.ts'

const header = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: x\n'

const cases: [name: string, text: string, licences: string[]][] = [
  [
    'the licences of files, each once, without their texts',
    `${header}License: GPL-2\n\nFiles: *\nCopyright: 2020 A\nLicense: MIT\n\nFiles: debian/*\nLicense: GPL-3+\n It says so.\n\nLicense: BSD-3-clause\n Text that no file has.\n\nFiles: a b\nLicense: MIT\n`,
    ['GPL-3+', 'MIT'],
  ],
  [
    'an old file that refers to common licences',
    "This is free.\nSee /usr/share/common-licenses/GPL-2.\nAnd `/usr/share/common-licenses/LGPL-2.1'; /usr/share/common-licenses/Artistic.\n",
    ['Artistic', 'GPL-2', 'LGPL-2.1'],
  ],
  ['a file that only begins like the format', `${header}\nwhat follows has no field name\n`, []],
  ['a file that says neither', 'Copyright 1999 Somebody. Do what you like.\n', []],
  ['no file', '', []],
]

for (const [name, text, licences] of cases) test(name, (t) => t.deepEqual(licencesOf(text), licences))
