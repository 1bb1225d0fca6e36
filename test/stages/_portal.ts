import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../builder/boot/relay.ts'
import { renderStageJson } from '../../builder/deb/stage-control.ts'
import { runCommand, spawnCommand } from '../../builder/host/command.ts'
import type { Stage } from '../../builder/profile/schema.ts'
import { checkout } from '../support/tools.ts'
import type { WebTools } from '../support/web-tools.ts'

/** A node as the portal sees it, played by files and by stand-ins for `ip` and `systemctl`. */
export interface PlayedNode {
  host: string
  stages: readonly Stage[]
  /** Lines of `ip -o addr`. */
  addresses?: readonly string[]
  /** Of a service of each stage, `active running` unless told. */
  states?: Readonly<Record<string, string>>
  /** More files, by their path on the node. */
  files?: Readonly<Record<string, string>>
  /** `TITLE` and `WELCOME`. */
  settings?: Readonly<Record<string, string>>
}

const overlay = join(checkout, 'overlays/portal')

const script = (lines: readonly string[]): string => ['#!/bin/sh', ...lines, ''].join('\n')

/** Lay out the files of the node below `folder`. */
const layOut = async (folder: string, node: PlayedNode): Promise<void> => {
  const files: Record<string, string> = {
    'proc/sys/kernel/hostname': `${node.host}\n`,
    'proc/uptime': '273900.12 500000.00\n',
    'proc/meminfo': 'MemTotal:         983040 kB\nMemFree:          100000 kB\nMemAvailable:     612352 kB\n',
    ...node.files,
  }
  for (const stage of node.stages) {
    files[`usr/share/pibake/stages/${stage.name}.json`] = renderStageJson(stage)
    files[`var/lib/dpkg/info/pibake-${stage.name}.list`] = `/usr/lib/systemd/system/${stage.name}.service\n`
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  await cp(join(overlay, 'usr/share/pibake/portal'), join(folder, 'usr/share/pibake/portal'), { recursive: true })
  await mkdir(join(folder, 'usr/share/pibake/nginx'), { recursive: true })
  const states = node.stages.map(({ name }) => {
    const [active, sub] = (node.states?.[name] ?? 'active running').split(' ')
    return `Id=${name}.service\nActiveState=${active}\nSubState=${sub}\n`
  })
  await writeFile(join(folder, 'addresses'), (node.addresses ?? []).join('\n'))
  await writeFile(join(folder, 'states'), states.join('\n'))
  await mkdir(join(folder, 'bin'))
  for (const [name, lines] of [
    ['ip', [`cat '${folder}/addresses'`]],
    ['systemctl', [`cat '${folder}/states'`]],
    [
      'df',
      ["printf 'Filesystem 1024-blocks Used Available Capacity Mounted\\n/dev/x 30000000 9000000 21000000 30%% /\\n'"],
    ],
  ] as const) {
    await writeFile(join(folder, 'bin', name), script(lines), { mode: 0o755 })
  }
}

/** Run the portal's script on the node below `folder`; the pages lie in `www` below it. */
const writePages = async (folder: string, node: PlayedNode, tools: WebTools): Promise<void> => {
  const env = {
    PATH: `${folder}/bin:${join(tools.qrencode, '..')}:${process.env.PATH ?? ''}`,
    LD_LIBRARY_PATH: tools.libraries,
    PIBAKE_ROOT: folder,
    ...node.settings,
  }
  await runCommand([join(overlay, 'usr/lib/pibake/portal/update'), join(folder, 'www')], { env })
}

/** nginx with the portal's own configuration, moved to `folder` and to a port of its own. */
const startServer = async (folder: string, tools: WebTools): Promise<AsyncDisposable & { port: number }> => {
  const port = await freePort()
  const portal = (await readFile(join(overlay, 'etc/nginx/conf.d/pibake-portal.conf'), 'utf8'))
    .replaceAll('/usr/share/pibake/', `${folder}/usr/share/pibake/`)
    .replaceAll('/run/pibake-portal', `${folder}/www`)
    .replace('listen 80;', `listen 127.0.0.1:${port};`)
    .replace('listen [::]:80;', '')
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const main = [
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    `daemon off; pid ${folder}/nginx.pid; error_log stderr;`,
    'events { }',
    `http { types { text/html html; text/css css; image/svg+xml svg; } ${kinds.map((kind) => `${kind}_temp_path ${folder}/tmp;`).join(' ')}`,
    portal,
    '}',
  ].join('\n')
  await writeFile(join(folder, 'nginx.conf'), main)
  const server = spawnCommand([tools.nginx, '-p', folder, '-c', join(folder, 'nginx.conf')])
  let said = ''
  server.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  for (let tries = 0; ; tries += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/status`).catch(() => undefined)
    if (answer?.ok) break
    if (tries > 100) throw new Error(`nginx does not serve the pages: ${said}`)
    await sleep(50)
  }
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.kill('SIGTERM')
      await server
    },
  }
}

/** Write the pages of a node and serve them on 127.0.0.1. */
export const servePortal = async (
  folder: string,
  node: PlayedNode,
  tools: WebTools,
): Promise<AsyncDisposable & { url: string }> => {
  await layOut(folder, node)
  await writePages(folder, node, tools)
  const server = await startServer(folder, tools)
  return { url: `http://127.0.0.1:${server.port}/`, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}
