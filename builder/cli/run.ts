import { readFile } from 'node:fs/promises'
import { chooseBoard } from '../boot/choose-board.ts'
import type { Forward } from '../boot/machine.ts'
import { PibakeError } from '../core/error.ts'
import { raiseLoopback } from '../host/loopback.ts'
import { makeScratch } from '../host/scratch.ts'
import { boardOption, chosenImage, openTools } from './chosen.ts'
import { defineCommand } from './command.ts'

/** `8080:80`: port 80 of the guest on port 8080 of this machine. */
export const parseForward = (text: string): Forward => {
  const [, host, guest] = /^(\d{1,5}):(\d{1,5})$/.exec(text) ?? []
  const forward = { host: Number(host), guest: Number(guest) }
  const isPort = (port: number): boolean => port >= 1 && port <= 65_535
  if (isPort(forward.host) && isPort(forward.guest)) return forward
  throw new PibakeError('USAGE', `\`${text}\` does not say which port goes where.`, {
    hint: 'Write the port of this machine, a colon, and the port of the guest: `8080:80`.',
  })
}

/** The text of a public key from its file. Throws `USAGE` when there is none. */
export const readKey = async (path: string): Promise<string> => {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new PibakeError('USAGE', `\`${path}\` cannot be read.`, { hint: 'Name the file of a public key.', cause })
  })
  if (/^(?:ssh|ecdsa|sk)-\S+ \S+/.test(text)) return text.trim()
  throw new PibakeError('USAGE', `\`${path}\` holds no public key.`, { hint: 'Name the file that ends in `.pub`.' })
}

const readUserData = (path: string): Promise<string> =>
  readFile(path, 'utf8').catch((cause: unknown) => {
    throw new PibakeError('USAGE', `\`${path}\` cannot be read.`, { hint: 'Name a file with user-data.', cause })
  })

export const run = defineCommand({
  options: {
    ...boardOption,
    forward: {
      type: 'string',
      array: true,
      describe: 'A port to reach on 127.0.0.1, as HERE:GUEST; replaces the usual ones',
    },
    'ssh-key': { type: 'string', describe: 'File with a public key that may log in as root over SSH, for this boot' },
    'user-data': { type: 'string', describe: 'File with user-data for cloud-init, as a provider would give it' },
    'relay-folder': { type: 'string', hidden: true },
  },
  positionals: { image: { type: 'string', demandOption: true, describe: 'Path of an image; it is not changed' } },
  examples: [
    ['$0 run images/pub.img', 'Its console here, its portal on http://127.0.0.1:8080; Ctrl-A X ends it'],
    ['$0 run images/pub.img --ssh-key ~/.ssh/id_ed25519.pub', 'Then: ssh -p 2222 root@127.0.0.1'],
    ['$0 run images/pub-vm-amd64.img --user-data user-data.yaml', 'The way a rented machine starts'],
    ['$0 run images/pub.img --forward 9000:80', 'Only the portal, on port 9000'],
  ],
  async run(args, context) {
    const { project, emit, signal, terminal } = context
    const { defaultForwards, runImage } = await import('../boot/run.ts')
    const forwards = args.forward?.map(parseForward) ?? defaultForwards
    if (!context.isOffline) {
      const { listenForwards } = await import('../boot/forwards.ts')
      await using scratch = await makeScratch(project.work)
      await using _relays = await listenForwards(forwards, scratch.path)
      const ports = forwards.map(({ host, guest }) => `${guest} on 127.0.0.1:${host}`).join(', ')
      emit({ type: 'notice', level: 'info', message: `Ports of the guest: ${ports}. Ctrl-A X shuts it down.` })
      return await context.continueOffline(['--relay-folder', scratch.path])
    }
    const relayFolder = args['relay-folder']
    if (relayFolder === undefined) throw new Error('run was started without a folder for its relays')
    const sshKey = args['ssh-key'] === undefined ? undefined : await readKey(args['ssh-key'])
    const cloudSeed = args['user-data'] === undefined ? undefined : { userData: await readUserData(args['user-data']) }
    const tools = await openTools(context)
    const image = chosenImage(args.image)
    const board = await chooseBoard(tools, image, { named: args.board, signal })
    await raiseLoopback(tools)
    await using scratch = await makeScratch(project.work)
    await runImage({
      tools,
      image,
      board,
      scratch: scratch.path,
      forwards,
      relayFolder,
      terminal,
      signal,
      ...(sshKey === undefined ? {} : { sshKey }),
      ...(cloudSeed === undefined ? {} : { cloudSeed }),
    })
    return {}
  },
})
