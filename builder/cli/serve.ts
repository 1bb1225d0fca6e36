import { PibakeError } from '../core/error.ts'
import { formatBytes, formatDuration } from '../core/size.ts'
import type { Paint } from '../report/style.ts'
import { renderTable } from '../report/table.ts'
import type { Served } from '../serve/serve.ts'
import { defineCommand } from './command.ts'
import { keyOption, openKey } from './key.ts'

const chosenPort = (port: number): number => {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new PibakeError('USAGE', `\`${port}\` is not a port.`, { hint: 'Name one between 1024 and 65535.' })
}

/** Who fetched what, as a table. */
export const renderServed = (
  { visitors, refused, requests, sentBytes, durationMs }: Served,
  paint: Paint,
): string[] => {
  if (visitors.length === 0) return [`Nobody came in ${formatDuration(durationMs)}.`]
  const rows = visitors.map(({ address, programs, files, sentBytes: bytes }) => [
    paint('bold', address),
    formatBytes(bytes),
    Object.entries(files)
      .map(([group, count]) => `${count} × ${group}`)
      .join(', ') || 'nothing',
    paint('dim', programs.join(', ')),
  ])
  const turnedAway = Object.entries(refused).map(([reason, count]) => `${count} × ${reason}`)
  return [
    ...renderTable(rows),
    '',
    `${requests} requests, ${formatBytes(sentBytes)} in ${formatDuration(durationMs)}.`,
    ...(turnedAway.length > 0 ? [`Turned away: ${turnedAway.join(', ')}.`] : []),
  ]
}

export const serve = defineCommand({
  options: {
    port: { type: 'number', default: 8000, describe: 'Port to listen on' },
    address: { type: 'string', describe: 'Address of this machine to listen on; all of them if not said' },
    ...keyOption,
  },
  positionals: {},
  examples: [
    ['$0 serve', 'Packages, images and documentation for everyone on this network'],
    ['$0 serve --address 192.168.4.1 --port 8080', 'Only on the access point'],
    ['$0 serve --json 2>accesses.jsonl', 'A line for each request, for a program to read'],
  ],
  async run({ port, address, key: keyPath }, { project, emit, signal }) {
    const wanted = chosenPort(port)
    const key = await openKey(keyPath, emit)
    const [{ openShare }, { serveUntil }] = await Promise.all([
      import('../serve/share.ts'),
      import('../serve/serve.ts'),
    ])
    const share = await openShare({ project, key, emit, signal })
    const { images, debianPackages, npmPackages, missing } = share
    const lacking = missing > 0 ? ` ${missing} more that locks name are not in the cache.` : ''
    const message = `${images} images, ${debianPackages} Debian and ${npmPackages} npm packages.${lacking}`
    emit({ type: 'notice', level: 'info', message })
    const served = await serveUntil(share, { host: address, port: wanted, emit, signal })
    return { data: served, lines: (paint) => renderServed(served, paint), endsByInterruption: true }
  },
})
