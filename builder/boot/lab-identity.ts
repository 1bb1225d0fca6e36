import type { Guest } from './boot.ts'
import type { LabNode } from './lab.ts'
import type { CheckResult } from './report.ts'

/**
 * Lists what makes a node itself, `<sha256>  <path>` a line: files that no package brought and that are keys, ids,
 * secrets or certificates by their name, or private keys by what they hold.
 */
const identityScript = `
owned=$(mktemp)
cat /var/lib/dpkg/info/*.list | sort -u >"$owned"
names='machine-id *key* *secret* *seed* *token* *.pem *.crt *.pub *.p12'
set -f
tests=
for name in $names; do tests="$tests -o -name $name"; done
places='/etc /var/lib /boot/firmware'
{ find $places -xdev -type f -size +0 \\( -false $tests \\)
  find $places -xdev -type f -size +0 -size -64k -exec grep -lIE 'PRIVATE KEY|[Pp]rivate_?[Kk]ey|"private": *"' {} +
} | grep -vE '^/(etc/ssl/certs|var/lib/dpkg|var/lib/apt|var/lib/systemd/(catalog|deb-systemd-[a-z-]+))/' | sort -u | comm -23 - "$owned" |
  while IFS= read -r file; do sha256sum "$file"; done
rm -f "$owned"`

/** What makes one node itself: path to SHA-256. */
export type Identity = ReadonlyMap<string, string>

export const parseIdentity = (output: string): Identity =>
  new Map(
    output.split('\n').flatMap((line) => {
      const [, sha256, path] = /^\\?([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? []
      return sha256 === undefined || path === undefined ? [] : [[path, sha256] as const]
    }),
  )

/** What two nodes have in common, a sentence each. */
export const sharedIdentity = (identities: ReadonlyMap<string, Identity>): string[] => {
  const owners = new Map<string, string[]>()
  for (const [node, files] of identities) {
    for (const [path, sha256] of files) owners.set(sha256, [...(owners.get(sha256) ?? []), `${node}:${path}`])
  }
  return [...owners.values()]
    .filter((places) => new Set(places.map((place) => place.slice(0, place.indexOf(':')))).size > 1)
    .map((places) => `the same in ${places.join(' and ')}`)
}

const readIdentity = async (guest: Pick<Guest, 'run'>, signal: AbortSignal | undefined): Promise<Identity> =>
  parseIdentity((await guest.run(identityScript, { timeoutMs: 120_000, ...(signal ? { signal } : {}) })).output)

/** Ask whether the nodes of one image share a key, id, secret or certificate; a node without any is a failure as well. */
export const checkIdentities = async (
  nodes: readonly Pick<LabNode, 'name' | 'guest'>[],
  signal: AbortSignal | undefined,
): Promise<CheckResult> => {
  const startedAt = performance.now()
  const found = await Promise.all(nodes.map(({ guest }) => readIdentity(guest, signal)))
  const identities = new Map(nodes.map(({ name }, index) => [name, found[index] ?? new Map<string, string>()]))
  const bare = [...identities].filter(([, files]) => !files.has('/etc/machine-id')).map(([name]) => `${name} has no id`)
  const faults = [...sharedIdentity(identities), ...bare]
  const paths = [...new Set(found.flatMap((files) => [...files.keys()]))].sort()
  return {
    stage: 'system',
    name: 'identity',
    title: 'no two nodes share a key, an id, a secret or a certificate',
    outcome: faults.length === 0 ? 'passed' : 'failed',
    durationMs: performance.now() - startedAt,
    output: [...faults, ...paths.map((path) => `compared ${path}`)].join('\n'),
  }
}
