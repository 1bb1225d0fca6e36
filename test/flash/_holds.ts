import { generateKeyPairSync } from 'node:crypto'
import type { ExecutionContext } from 'ava'
import type { Card } from './_pair.ts'

/** A pair of keys for SSH: the private one as a file, the public one as a line. */
export interface SshKey {
  file: Buffer
  line: string
}

export const makeSshKey = (comment: string): SshKey => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
  // RFC 8709, section 4: two strings, each with its length before it.
  const words = [Buffer.from('ssh-ed25519'), raw].flatMap((word) => [Buffer.from([0, 0, 0, word.length]), word])
  return {
    file: Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    line: `ssh-ed25519 ${Buffer.concat(words).toString('base64')} ${comment}`,
  }
}

/** What stands on the label under a heading. */
export const factsOf = ({ label }: Card, heading: string): readonly string[] => label.facts.get(heading) ?? []

const localName = (card: Card): string => `${card.label.hostname}.local`

/** The name on the label is the node's own, and the other node finds it by that name, with its host key. */
export const holdName = async (t: ExecutionContext, card: Card, other: Card): Promise<void> => {
  const name = localName(card)
  t.is(await card.say('cat /proc/sys/kernel/hostname'), card.label.hostname)
  t.is(factsOf(card, 'Found as')[0], name)
  const find = `for try in $(seq 60); do getent ahostsv4 ${name} >/dev/null && break; sleep 2; done`
  const [key, otherKey] = [await card.say(readHostKey), await other.say(readHostKey)]
  t.is(
    await other.say(`${find}; ssh-keyscan -t ed25519 ${name} 2>/dev/null | grep -v '^#' | cut -d' ' -f2,3`, 300_000),
    key,
  )
  t.regex(key, /^ssh-ed25519 AAAA/)
  t.not(key, otherKey)
}

const readHostKey = "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub"

/** From the other node, the card's own key opens it to root, and that of the other card does not. */
export const holdKeys = async (
  t: ExecutionContext,
  { card, other, own, foreign }: { card: Card; other: Card; own: SshKey; foreign: SshKey },
): Promise<void> => {
  const ssh = 'ssh -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no -o LogLevel=ERROR'
  const enter = async ({ file }: SshKey): Promise<string> => {
    await other.guest.push('/root/key', file, 0o600)
    const said = await other.say(`${ssh} -i /root/key root@${localName(card)} 'id -un; hostname' 2>&1; rm /root/key`)
    return said
  }
  t.is(await enter(own), `root\n${card.label.hostname}`)
  t.is(await enter(foreign), `root@${localName(card)}: Permission denied (publickey).`)
}

/**
 * Somebody at the other node logs in as the label says, has to choose another password, and becomes root with that; the
 * label's is then good for nothing.
 */
export const holdLogin = async (t: ExecutionContext, card: Card, other: Card, user: string): Promise<void> => {
  const { hostname } = card.label
  const [login] = factsOf(card, 'Log in')
  t.is(login, `ssh ${user}@${hostname}.local`)
  const [password = ''] = factsOf(card, 'First password')
  t.regex(password, /^[a-z]{16}$/)
  const said = await other.say(`/root/first-login ${login?.slice(4)} ${password} Quite-another-7`, 420_000)
  const end = ['passwd: password updated successfully', user, hostname, 'root', 'the old password is refused']
  t.deepEqual(said.split('\n').slice(-end.length), end, said)
}
