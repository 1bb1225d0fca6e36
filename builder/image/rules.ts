import { type Architecture, architectures } from '../host/architecture.ts'
import type { TreeEntry } from './walk.ts'

/** An entry of the root under inspection, with the start of its content when it is a plain file. */
export interface Subject extends TreeEntry {
  /** Up to 16 KiB; empty for anything but a plain file. */
  head: Buffer
}

export interface Rule {
  rule: string
  /** What the finding says. */
  message: string
  matches: (subject: Subject) => boolean
}

const at = (pattern: RegExp, also: (subject: Subject) => boolean = () => true): Rule['matches'] => {
  return (subject) => pattern.test(subject.path) && also(subject)
}
const holds = (pattern: RegExp): ((subject: Subject) => boolean) => {
  return ({ head }) => pattern.test(head.toString('latin1'))
}
const notEmpty = ({ stats }: Subject): boolean => stats.isFile() && stats.size > 0
const isPlain = ({ stats }: Subject): boolean => stats.isFile()

/** A PEM or OpenSSH or OpenPGP private key with its body: code that merely names the header does not count. */
const privateKey =
  /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\r?\n(?:[\w-]+: .*\r?\n)*(?:\r?\n)?[\w+/=]{40,}/
const keyMark = Buffer.from('PRIVATE KEY')

/**
 * Keys that are published for everyone and guard nothing: examples of documentation, the fixtures that npm packages,
 * Python and its modules ship for their tests, and the host key of Synapse's debugging console, which is off.
 */
const publishedKeys =
  /^\/usr\/share\/doc\/|\/node_modules\/(?:.*\/)?(?:tests?|__tests__|fixtures?|examples?|benchmarks?)\/|^\/usr\/lib\/python3[^/]*\/(?:.*\/)?tests?\/|^\/usr\/lib\/python3\/dist-packages\/synapse\/util\/(?:__pycache__\/)?manhole\./

/**
 * ELF files that other processors than the main one run: the Pi's VideoCore firmware, and firmware of devices; and what the
 * kernel brings for itself, which may have 64 bits below programs of 32.
 */
const otherProcessors = /^\/(?:usr\/lib\/(?:firmware|modules|raspi-firmware)|boot\/firmware)\//

const elfMagic = Buffer.from([0x7f, 0x45, 0x4c, 0x46])
/** e_machine by architecture, from the ELF specification's registry. */
const machines: Readonly<Record<Architecture, number>> = { amd64: 62, arm64: 183, armhf: 40 }
/** eBPF runs on any kernel. */
const bpfMachine = 247

const isForeignElf = ({ path, head }: Subject, architecture: Architecture): boolean => {
  if (head.length < 20 || !head.subarray(0, 4).equals(elfMagic) || otherProcessors.test(path)) return false
  const machine = head[5] === 2 ? head.readUInt16BE(18) : head.readUInt16LE(18)
  return machine !== machines[architecture] && machine !== bpfMachine
}

/** Where libraries of other architectures lie (multiarch), which the twins of a bake use. */
const foreignLibraries = (architecture: Architecture): ReadonlySet<string> =>
  new Set(
    Object.entries(architectures).flatMap(([name, { triplet }]) =>
      name === architecture ? [] : [`/usr/lib/${triplet}`],
    ),
  )

const isWorldWritable = ({ stats }: Subject): boolean =>
  (stats.mode & 0o002) !== 0 && (stats.isFile() || (stats.isDirectory() && (stats.mode & 0o1000) === 0))

const secrets: Rule[] = [
  {
    rule: 'ssh-host-key',
    message: 'an SSH host key; it must be made on the card at first boot',
    matches: at(/^\/etc\/(?:ssh\/ssh_host_.*_key(?:\.pub)?|dropbear\/dropbear_.*_host_key)$/),
  },
  {
    rule: 'private-key',
    message: 'a private key',
    matches: ({ path, head }) =>
      head.includes(keyMark) && !publishedKeys.test(path) && privateKey.test(head.toString('latin1')),
  },
  {
    rule: 'machine-id',
    message: 'a machine id; it must be `uninitialized` or empty, so that each card makes its own',
    matches: at(/^\/(?:etc|var\/lib\/dbus)\/machine-id$/, (subject) =>
      isPlain(subject) ? !/^(?:uninitialized)?\s*$/.test(subject.head.toString('latin1')) : false,
    ),
  },
  {
    rule: 'random-seed',
    message: 'a seed or secret of systemd that every card would share',
    matches: at(/^\/var\/lib\/systemd\/(?:random-seed|credential\.secret)$/),
  },
  {
    rule: 'mesh-key',
    message: 'a mesh configuration with its key; it must be made on the card at first boot',
    matches: at(/^\/etc\/(?:(?:yggdrasil\/)?yggdrasil|(?:cjdns\/)?cjdroute)\.conf$/, notEmpty),
  },
  { rule: 'ssb-secret', message: 'a Scuttlebutt identity', matches: at(/\/\.ssb\/secret$/) },
  {
    rule: 'signing-key',
    message: 'a signing key of a Matrix server',
    matches: at(/^\/(?:etc|var\/lib)\/.*(?:\.signing\.key|\/matrix_key\.pem)$/, notEmpty),
  },
  {
    rule: 'gpg-key',
    message: 'a private key of GnuPG',
    matches: at(/\/(?:private-keys-v1\.d\/[^/]+|secring\.gpg)$/, notEmpty),
  },
  {
    rule: 'wifi-password',
    message: 'a Wi-Fi password; it belongs on the one card that is flashed with it',
    matches: at(
      /^\/(?:etc\/wpa_supplicant\/.*\.conf|etc\/network\/interfaces(?:\.d\/.*)?|etc\/NetworkManager\/system-connections\/.*|var\/lib\/iwd\/.*\.(?:psk|8021x)|boot\/firmware\/(?:network-config|wpa_supplicant\.conf|access-point)|etc\/hostapd\/.*|var\/lib\/pibake\/access-point\/card)$/,
      holds(
        /^\s*(?:(?:psk|password|passphrase|wpa_passphrase|wpa_psk|sae_password|Passphrase|PreSharedKey|wep-key0)\s*[=:]|wpa-psk\s)\s*\S/im,
      ),
    ),
  },
  {
    rule: 'wireguard-key',
    message: 'a WireGuard private key',
    matches: at(/^\/etc\/(?:wireguard|systemd\/network)\//, holds(/^\s*PrivateKey\s*=\s*\S/im)),
  },
]

const leftoversOn = (architecture: Architecture): Rule[] => {
  const foreign = foreignLibraries(architecture)
  return [
    { rule: 'policy-rc.d', message: 'keeps services from starting', matches: at(/^\/usr\/sbin\/policy-rc\.d$/) },
    {
      rule: 'resolv.conf',
      message: "holds the build machine's name servers",
      matches: at(/^\/etc\/resolv\.conf$/, notEmpty),
    },
    {
      rule: 'mount-point',
      message: 'a mount point of the bake',
      matches: ({ path }) => /^\/(?:\.native|\.pibake[^/]*)$/.test(path) || foreign.has(path),
    },
    {
      rule: 'foreign-elf',
      message: `a program or library for another processor than ${architecture}`,
      matches: (subject) => isForeignElf(subject, architecture),
    },
    {
      rule: 'dpkg-leftover',
      message: 'a half-unpacked file of dpkg',
      matches: ({ name }) => name.endsWith('.dpkg-new') || name.endsWith('.dpkg-tmp'),
    },
    { rule: 'temporary-file', message: 'a temporary file', matches: at(/^\/(?:var\/)?tmp\/[^/]+$/) },
    {
      rule: 'apt-leftover',
      message: "apt's downloads and indexes, which the image does not need",
      matches: at(
        /^\/var\/(?:lib\/apt\/lists\/(?:[^/]+|partial\/.+)|cache\/apt\/(?:[^/]+\.bin|archives\/(?:partial\/)?[^/]+\.deb))$/,
        notEmpty,
      ),
    },
    {
      rule: 'shell-history',
      message: 'the history of a shell',
      matches: at(/\/\.(?:bash|ash|python)_history$/, notEmpty),
    },
    { rule: 'world-writable', message: 'may be written by every user', matches: isWorldWritable },
  ]
}

/** Everything that must not be on an image for that processor, decided entry by entry. */
export const rulesOf = (architecture: Architecture): readonly Rule[] => [...secrets, ...leftoversOn(architecture)]
