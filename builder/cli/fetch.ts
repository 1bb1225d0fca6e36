import { PibakeError } from '../core/error.ts'
import { formatBytes } from '../core/size.ts'
import { allDebs } from '../lock/debs.ts'
import type { Lock } from '../lock/schema.ts'
import { baseOption, chosenProfile, fetchOptions, profileOption } from './chosen.ts'
import { defineCommand } from './command.ts'

/** How much a lock names, in items and bytes. */
const amountOf = (lock: Lock) => {
  const base = lock.base?.url === undefined ? [] : [lock.base.archive]
  const items = [...base, ...allDebs(lock), ...Object.values(lock.npm).flat(), ...Object.values(lock.artifacts).flat()]
  const sizes = new Map(items.map(({ sha256, sizeBytes }) => [sha256, sizeBytes]))
  return { items: sizes.size, sizeBytes: [...sizes.values()].reduce((sum, size) => sum + size, 0) }
}

export const fetch = defineCommand({
  options: {
    ...profileOption,
    ...baseOption,
    tools: { type: 'boolean', default: false, describe: 'Only the tools that pibake itself runs' },
    ...fetchOptions,
    'accept-expired': {
      type: 'boolean',
      default: false,
      describe: 'Take package lists of a mirror that is no longer updated; they still have to be signed',
    },
    refresh: { type: 'boolean', default: false, describe: 'Lock anew what the mirror has today' },
  },
  positionals: {},
  examples: [
    ['$0 fetch --profile pub', 'All that `pibake --profile pub` needs'],
    ['$0 fetch --profile pub --refresh', 'The newest versions; prints what changes'],
    ['$0 fetch --profile pub --target vm-amd64', 'The same for a virtual machine; it has a lock of its own'],
    [
      '$0 fetch --profile mirror --base raspios-lite-arm64',
      'The image of Raspberry Pi OS, verified, and what goes upon it',
    ],
    ['$0 fetch --tools', 'Enough to boot and test a finished image'],
  ],
  async run(
    { profile: named, target, base, tools, mirror, frozen, refresh, 'accept-expired': acceptExpired },
    { project, emit, signal, options },
  ) {
    if (options.offline) {
      throw new PibakeError('USAGE', '`fetch` needs the network.', { hint: 'Leave `--offline` away.' })
    }
    const { fetchAll } = await import('../fetch/fetch.ts')
    const { lock } = await fetchAll({
      project,
      base,
      frozen,
      refresh,
      acceptExpired,
      emit,
      signal,
      ...(tools ? {} : { profile: chosenProfile(named), target }),
      ...(mirror === undefined ? {} : { mirror }),
    })
    if (!lock) return { data: { profile: null }, lines: () => ['The tools are there.'] }
    const { items, sizeBytes } = amountOf(lock)
    return {
      data: { profile: lock.profile, time: lock.time, items, sizeBytes },
      lines: () => [
        `All ${items} items of \`${lock.profile}\` (${formatBytes(sizeBytes)}) are in the cache, as of ${lock.time}.`,
      ],
    }
  },
})
