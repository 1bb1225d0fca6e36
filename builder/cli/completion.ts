import { PibakeError } from '../core/error.ts'
import { listProfileNames } from '../profile/profile.ts'
import { listStageNames } from '../profile/stage.ts'
import { defineCommand } from './command.ts'
import { commands } from './commands.ts'
import { type CompletionNames, complete, completionScripts } from './complete.ts'

export const completion = defineCommand({
  options: {},
  positionals: {
    shell: { type: 'string', choices: ['bash', 'zsh', 'words'] as const, demandOption: true, describe: 'Which shell' },
  },
  examples: [
    ['source <($0 completion bash)', 'Complete in this shell; put the line into ~/.bashrc for every one'],
    ['source <($0 completion zsh)', 'The same for zsh, after `compinit`'],
  ],
  async run({ shell, '--': words }, { project }) {
    if (shell !== 'words') {
      const script = completionScripts[shell]
      if (script === undefined)
        throw new PibakeError('USAGE', `\`${shell}\` is not known.`, { hint: 'Use bash or zsh.' })
      return { data: script, lines: () => script.split('\n') }
    }
    const line = (words ?? []).map(String)
    const entry = commands.find(({ name }) => line.slice(0, -1).includes(name))
    const names: CompletionNames = {
      commands: commands.map(({ name }) => name),
      profiles: await listProfileNames(project),
      stages: await listStageNames(project),
    }
    const found = complete(line, entry && { name: entry.name, command: await entry.load() }, names)
    return { data: found, lines: () => found }
  },
})
