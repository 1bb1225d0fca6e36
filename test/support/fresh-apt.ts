import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { runTool, type ToolOptions } from '../../builder/host/sandbox.ts'
import { scratch } from './scratch.ts'
import { tools } from './tools.ts'

const folders = ['apt.conf.d', 'preferences.d', 'sources.list.d'].map((name) => `etc/${name}`)

/** An apt of the tools tree that knows nothing but one source; runs in `work`, where it downloads to. */
export const freshApt = async (
  t: ExecutionContext,
  options: { architecture: string; source: string } & Pick<ToolOptions, 'network' | 'readOnly'>,
) => {
  const { architecture, source, ...sandbox } = options
  const work = await scratch(t)
  for (const name of [...folders, 'lists/partial', 'cache/archives/partial', 'log']) {
    await mkdir(join(work, name), { recursive: true })
  }
  await writeFile(join(work, 'etc/sources.list.d/pibake.sources'), source)
  await writeFile(join(work, 'status'), '')
  const settings = {
    'Dir::Etc': join(work, 'etc'),
    'Dir::State': work,
    'Dir::State::status': join(work, 'status'),
    'Dir::Cache': join(work, 'cache'),
    'Dir::Log': join(work, 'log'),
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Debug::NoLocking': 'true',
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`)
  await writeFile(join(work, 'apt.conf'), lines.join(''))
  const apt = (args: readonly string[]) =>
    runTool(tools, ['apt-get', ...args], {
      ...sandbox,
      env: { APT_CONFIG: join(work, 'apt.conf') },
      writable: [work],
      cwd: work,
    })
  return { work, apt }
}
