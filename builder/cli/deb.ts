import { resolve } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { toolsSuite } from '../host/tools-packages.ts'
import { targetOption } from './chosen.ts'
import { defineCommand } from './command.ts'
import { type Outcome, renderRepository } from './deb-report.ts'
import { keyOption, openKey } from './key.ts'

const chosenProfileOf = (profile: string | undefined, stages: readonly string[], added: readonly string[]) => {
  if (profile !== undefined) return profile
  if (stages.length > 0) {
    throw new PibakeError('USAGE', 'Packages of stages carry the settings of a profile, and none is named.', {
      hint: 'Name it with `--profile`, such as `--profile pub`.',
    })
  }
  if (added.length > 0) return undefined
  throw new PibakeError('USAGE', 'There is nothing to put into a repository.', {
    hint: 'Name a profile whose stages are wanted (`--profile`), or packages of others (`--add`).',
  })
}

const checkUri = (uri: string): string => {
  if (/^(?:https?|file):\/?\/?[^\s'"]+$/.test(uri)) return uri.replace(/\/+$/, '')
  throw new PibakeError('USAGE', `\`${uri}\` is no address of a repository.`, {
    hint: 'It begins with `http://`, `https://` or `file:/`.',
  })
}

export const deb = defineCommand({
  options: {
    profile: { type: 'string', describe: 'Profile whose stages are built, with its settings: a name, or a YAML file' },
    ...targetOption,
    'with-debian': {
      type: 'boolean',
      default: false,
      describe: 'Also the Debian packages that the lock names for these stages, for a Pi that reaches no mirror',
    },
    into: { type: 'string', describe: 'Folder of the repository, new or one to add to; images/packages if not said' },
    add: {
      type: 'string',
      array: true,
      default: [] as string[],
      describe: 'A `.deb` of others, or a folder that has some in it; may be given several times',
    },
    uri: {
      type: 'string',
      describe: 'Address at which others will find the folder, for the file of apt sources in it',
    },
    ...keyOption,
  },
  positionals: {
    stage: {
      type: 'string',
      array: true,
      default: [] as string[],
      describe: 'Stages to build, with what they need; all if not said',
    },
  },
  examples: [
    ['$0 deb --profile pub', 'The packages of all stages of pub, in images/packages'],
    ['$0 deb ssb-pub --profile pub --into /media/stick/packages', 'One stage with what it needs, on a stick'],
    [
      '$0 deb ssb-pub --profile pub --with-debian',
      'The same with all that it needs of Debian, for a Pi without internet',
    ],
    ['$0 deb --add /media/friends --add kiwix.deb', 'What other groups have made, in one signed repository'],
  ],
  async run(
    { stage: stages, profile: named, target, 'with-debian': withDebian, into, add, uri, key: keyPath },
    { project, emit, signal },
  ) {
    const profile = chosenProfileOf(named, stages, add)
    const [{ buildStageDebs }, { findIncoming }, { mergeDebs }, { newRecord }, writing] = await Promise.all([
      import('../repository/stage-debs.ts'),
      import('../repository/find-debs.ts'),
      import('../repository/merge.ts'),
      import('../repository/record.ts'),
      import('../repository/write.ts'),
    ])
    const folder = into === undefined ? writing.defaultRepository(project) : resolve(into)
    const address = uri === undefined ? writing.folderUri(folder) : checkUri(uri)
    const there = await writing.openRepository(folder, signal)
    const brought = await findIncoming(add, signal)
    const own =
      profile === undefined
        ? undefined
        : await buildStageDebs({ project, profile, target, stages, withDebian, emit, signal })
    const record = there ?? newRecord(own?.suite ?? toolsSuite)
    if (own && own.suite !== record.suite) {
      throw new PibakeError('USAGE', `\`${folder}\` is for ${record.suite}, and \`${profile}\` for ${own.suite}.`, {
        hint: 'Name another folder with `--into`.',
      })
    }
    const merge = mergeDebs(record, [...(own?.debs ?? []), ...brought], {
      architectures: own ? [own.architecture] : [],
      timeSeconds: own?.timeSeconds ?? 0,
    })
    for (const { name, version } of merge.replaced) {
      const message = `\`${name} ${version}\` was there in another build: who has installed that keeps it. Raise the version of a stage that has changed.`
      emit({ type: 'notice', level: 'warn', message })
    }
    for (const { name, brought: several } of merge.shared) {
      const list = several.map(({ from, versions }) => `${versions.join(', ')} from \`${from}\``).join('; ')
      emit({
        type: 'notice',
        level: 'warn',
        message: `Several have brought \`${name}\`: ${list}. apt takes the newest.`,
      })
    }
    const key = await openKey(keyPath, emit)
    await writing.writeRepository(folder, merge, { key, uri: address, signal })
    const { suite, packages } = merge.record
    const outcome: Outcome = {
      ...{ folder, uri: address, suite, packages, added: merge.added.length },
      fingerprint: key.fingerprint,
    }
    return { data: outcome, lines: (paint) => renderRepository(outcome, paint) }
  },
})
