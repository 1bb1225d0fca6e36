import { randomInt } from 'node:crypto'
import { runTool, type Tools } from '../host/sandbox.ts'

/** Letters that are at the same place on QWERTY, QWERTZ and AZERTY keyboards, without those taken for one another. */
const letters = 'bcdefghjknprstuvx'
const groups = 4
const groupLetters = 4

const pick = (alphabet: string, count: number): string =>
  Array.from({ length: count }, () => alphabet[randomInt(alphabet.length)]).join('')

/** A password or pass phrase that nobody could guess: 16 letters, 65 bits, typed alike on the usual keyboards. */
export const makePassword = (): string => pick(letters, groups * groupLetters)

/** A made password as it is printed: in groups, which are not part of it. */
export const groupsOf = (password: string): string[] => password.match(new RegExp(`.{1,${groupLetters}}`, 'gs')) ?? []

const cryptLetters = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** 16 random bytes for yescrypt with Debian's cost (crypt(5)): the last letter has but two bits of them. */
const makeSalt = (): string => `$y$j9T$${pick(cryptLetters, 21)}${pick(cryptLetters.slice(0, 4), 1)}`

/**
 * Hash passwords with yescrypt, as Debian does. The C library of the tools tree does it, through perl; a password is never
 * an argument of a program, which others on this machine could see.
 */
export const hashPasswords = async (
  passwords: readonly string[],
  { tools, signal }: { tools: Tools; signal: AbortSignal },
): Promise<string[]> => {
  const input = passwords.map((password) => `${makeSalt()} ${password}\n`).join('')
  const program =
    'while (<STDIN>) { chomp; my ($salt, $password) = split / /, $_, 2; print crypt($password, $salt), "\\n" }'
  const { stdout } = await runTool(tools, ['perl', '-e', program], { input, signal })
  const hashes = stdout.split('\n').slice(0, passwords.length)
  const isHash = (hash: string): boolean => /^\$y\$j9T\$[./0-9A-Za-z]{22}\$[./0-9A-Za-z]{43}$/.test(hash)
  if (hashes.length < passwords.length || !hashes.every(isHash)) throw new Error('crypt(3) gave no yescrypt hash')
  return hashes
}
