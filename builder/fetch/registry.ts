import { access, constants } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { runCommand } from '../host/command.ts'

/** npm's own programs look at these besides its configuration files. */
const npmVariables = ['HOME', 'npm_config_userconfig', 'npm_config_globalconfig', 'NPM_CONFIG_USERCONFIG'] as const

/**
 * The npm registry that this machine is set to use, without a trailing slash: the variable `npm_config_registry`, else
 * what `npm config get registry` says (npm from PATH or from beside the running Node). Throws `NETWORK` when neither is
 * there.
 */
export const findRegistry = async (
  options: { environment?: NodeJS.ProcessEnv; signal?: AbortSignal } = {},
): Promise<string> => {
  const environment = options.environment ?? process.env
  const set = environment.npm_config_registry ?? environment.NPM_CONFIG_REGISTRY
  if (set !== undefined && set !== '') return parseRegistry(set)
  const npm = await findNpm(environment.PATH ?? '')
  if (npm === undefined) throw noRegistry('neither `npm` nor the variable `npm_config_registry` is there')
  const env: Record<string, string> = {
    PATH: [dirname(process.execPath), environment.PATH ?? ''].join(delimiter),
    NO_UPDATE_NOTIFIER: '1',
  }
  for (const name of npmVariables) {
    const value = environment[name]
    if (value !== undefined) env[name] = value
  }
  const { stdout } = await runCommand([npm, 'config', 'get', 'registry'], {
    cwd: '/',
    env,
    timeoutMs: 60_000,
    ...(options.signal ? { signal: options.signal } : {}),
  })
  return parseRegistry(stdout.trim())
}

/**
 * Where a registry keeps a package: `<registry>/<name>/-/<name without scope>-<version>.tgz`, the layout that all
 * registries share and that a lock without `resolved` relies on.
 */
export const tarballUrl = (registry: string, name: string, version: string): string => {
  const unscoped = name.slice(name.lastIndexOf('/') + 1)
  return `${registry.replace(/\/+$/, '')}/${name}/-/${unscoped}-${version}.tgz`
}

const findNpm = async (path: string): Promise<string | undefined> => {
  for (const folder of [...path.split(delimiter), dirname(process.execPath)]) {
    const candidate = join(folder, 'npm')
    const usable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (folder !== '' && usable) return candidate
  }
  return undefined
}

const parseRegistry = (text: string): string => {
  if (!/^https?:\/\/./.test(text) || !URL.canParse(text)) throw noRegistry(`\`${text}\` is not an address`)
  return text.replace(/\/+$/, '')
}

const noRegistry = (reason: string): PibakeError =>
  new PibakeError('NETWORK', `The npm registry is not known: ${reason}.`, {
    hint: 'Install npm, or set `npm_config_registry` to the address of a registry.',
  })
