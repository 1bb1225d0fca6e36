import { PibakeError } from '../core/error.ts'
import { parseStanzas } from '../deb/deb822.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import type { BaseSources } from '../lock/request.ts'
import { inspectBase } from './open.ts'
import { readBaseSources } from './sources.ts'

/** The dpkg status file of a base image, read with debugfs(8) without mounting the image. */
export const readBaseStatus = async (tools: Tools, image: string, signal?: AbortSignal): Promise<string> => {
  return `${await readText(tools, image, { path: '/var/lib/dpkg/status', signal })}\n`
}

/** A text file of a base image without the line feeds at its end; empty when there is none. */
const readText = async (
  tools: Tools,
  image: string,
  { path, signal }: { path: string; signal: AbortSignal | undefined },
): Promise<string> => {
  const { root } = await inspectBase(image)
  const command = ['debugfs', '-R', `cat ${path}`, `${image}?offset=${root.offsetBytes}`]
  return (await runTool(tools, command, { readOnly: [image], ...(signal ? { signal } : {}) })).stdout
}

/** What a base image says of packages: which it has, and where they come from. */
export interface BasePackages {
  /** dpkg's status file. */
  status: string
  sources: BaseSources
  /** Architectures besides its own whose packages it may have, see dpkg(1), `--add-architecture`. */
  foreignArchitectures: readonly string[]
}

/**
 * What a base image says of packages. Throws `IMAGE_INVALID` for one of another architecture than the profile's, or with
 * sources that cannot be locked.
 */
export const readBasePackages = async (
  tools: Tools,
  image: string,
  options: { architecture: string; signal?: AbortSignal },
): Promise<BasePackages> => {
  const { architecture, signal } = options
  const status = await readBaseStatus(tools, image, signal)
  for (const { Package: name, Architecture: found } of parseStanzas(status)) {
    if (name !== 'dpkg' || found === undefined || found === architecture) continue
    throw new PibakeError(
      'IMAGE_INVALID',
      `The base \`${image}\` is for ${found}, and the profile for ${architecture}.`,
      {
        hint: 'Say `architecture:` in the profile as the base has it, or start from another one.',
      },
    )
  }
  const listed = (await readText(tools, image, { path: '/var/lib/dpkg/arch', signal })).split('\n').filter(Boolean)
  const foreignArchitectures = listed.filter((name) => name !== architecture)
  const architectures = [architecture, ...foreignArchitectures]
  const sources = await readBaseSources(tools, image, { architectures, ...(signal ? { signal } : {}) })
  return { status, sources, foreignArchitectures }
}

/** A text file of a base image's root, ending in a line feed; empty but for that when there is none. */
export const readBaseFile = async (tools: Tools, image: string, path: string, signal?: AbortSignal): Promise<string> =>
  `${await readText(tools, image, { path, signal })}\n`
