import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { architectures, hostArchitecture } from '../../builder/host/architecture.ts'
import { checkout } from './tools.ts'

/** Programs for tests of web pages; test/support/web-tools.sh brings them. */
export interface WebTools {
  chromium: string
  nginx: string
  qrencode: string
  /** Puts certificates into the store that Chromium reads. */
  certutil: string
  /** Folder of libraries that qrencode needs. */
  libraries: string
}

const isProgram = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  )

const findProgram = async (names: readonly string[], folders: readonly string[]): Promise<string | undefined> => {
  for (const path of names.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    if (await isProgram(path)) return path
  }
  return undefined
}

const tree = join(checkout, '.pibake', 'web-tools')
const onPath = (process.env.PATH ?? '').split(delimiter)

/** The browser of this machine, or undefined. */
export const findChromium = (): Promise<string | undefined> =>
  findProgram(['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'], onPath)

/** All of them, or why not. */
export const findWebTools = async (): Promise<WebTools | string> => {
  const chromium = await findChromium()
  if (chromium === undefined) return 'this machine has no Chromium; `test/run full` installs it with apt'
  const nginx = await findProgram(['nginx'], [join(tree, 'usr/sbin')])
  const qrencode = await findProgram(['qrencode'], [join(tree, 'usr/bin')])
  const certutil = await findProgram(['certutil'], [...onPath, join(tree, 'usr/bin')])
  if (nginx === undefined || qrencode === undefined || certutil === undefined) {
    return '`test/run full` has not unpacked nginx, qrencode and certutil'
  }
  return {
    chromium,
    nginx,
    qrencode,
    certutil,
    libraries: join(tree, 'usr/lib', architectures[hostArchitecture()].triplet),
  }
}
