import { PibakeError } from '../core/error.ts'
import { parseStanzas } from '../deb/deb822.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import type { BaseSources } from '../lock/request.ts'
import { inspectBase } from './open.ts'
import { readBaseSources } from './sources.ts'

/** The dpkg status file of a base image, read with debugfs(8) without mounting the image. */
export const readBaseStatus = async (tools: Tools, image: string, signal?: AbortSignal): Promise<string> => {
  const { root } = await inspectBase(image)
  const { stdout } = await runTool(
    tools,
    ['debugfs', '-R', 'cat /var/lib/dpkg/status', `${image}?offset=${root.offsetBytes}`],
    { readOnly: [image], ...(signal ? { signal } : {}) },
  )
  return `${stdout}\n`
}

/** What a base image says of packages: which it has, and where they come from. */
export interface BasePackages {
  /** dpkg's status file. */
  status: string
  sources: BaseSources
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
  return { status, sources: await readBaseSources(tools, image, options) }
}
