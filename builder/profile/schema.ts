import { z } from 'zod'
import type { Architecture } from '../host/architecture.ts'
import { type Base, basePattern } from './base.ts'
import type { TargetName } from './target.ts'

const stageName = z
  .string()
  .regex(/^[a-z][a-z0-9-]*$/, 'a stage name is lower-case letters, digits and hyphens, beginning with a letter')

const need = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]*( \| [a-z][a-z0-9-]*)*$/,
    'expected the name of a stage, or names of which one is enough, such as `matrix | tuwunel`',
  )

/** The stages of which a stage needs one, see `needs`. The first is pulled in when the profile lists none. */
export const alternativesOf = (need: string): string[] => need.split(' | ')

/** Steps of every bake, which a stage would be taken for. */
const reservedNames: readonly string[] = ['base', 'finalise', 'image']

/** A host name, as RFC 1123 has it, in lower case. */
export const hostName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a host name is at most 63 lower-case letters, digits and hyphens')

const settingName = z
  .string()
  .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'a setting name is kebab-case: lower-case words joined by hyphens')

/** One line; a line break at the end, as YAML's `>` leaves, is dropped. */
const oneLine = z
  .string()
  .regex(/^[^\n]*\S[^\n]*\n?$/, 'expected one line of text')
  .trim()

const someText = z.string().regex(/\S/, 'expected some text').trim()

/** Debian policy, section 5.6.7: at least two characters, beginning with a letter or digit. */
const packageName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9+.-]+$/, 'a Debian package name is lower-case letters, digits, `+`, `-` and `.`')

const absolutePath = z
  .string()
  .regex(
    /^(?!.*\/\.{1,2}(\/|$))(\/[\w@%+=:,.~-]+)+$/,
    'expected an absolute path such as `/usr/lib/pibake/name`, with no `.` or `..` in it',
  )

const settingValue = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())], {
  error: 'expected text, a number, true or false, or a list of texts',
})

const setting = z
  .strictObject({
    description: someText.describe(
      'What the setting does; stands as a comment above it in `/etc/pibake/<stage>.conf`.',
    ),
    default: settingValue.describe('The value when a profile sets none. Its type is the type of the setting.'),
  })
  .describe('One setting of the stage.')

const checkNames = {
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]*$/, 'a check name is lower-case letters, digits and hyphens')
    .describe('Short name, unique in the stage.'),
  title: oneLine.describe('What is true when the check passes, for the report.'),
}

const checkSeconds = z.number().positive('expected more than 0 seconds').default(60)

const checkFile = z.string().regex(/^[\w.-]+$/, 'expected the name of a file below `checks/`')

const check = z
  .strictObject({
    ...checkNames,
    run: checkFile.describe(
      "File below the stage's `checks/` folder: an executable script, run as root inside the booted image.",
    ),
    timeoutSeconds: checkSeconds.describe('Seconds until the check counts as failed.'),
  })
  .describe('A question asked of the booted image; exit status 0 means that it passed.')

const labCheck = z
  .strictObject({
    ...checkNames,
    run: z
      .string()
      .regex(/^[\w.-]+$/, 'expected the name of a file below `lab/`')
      .describe("File below the stage's `lab/` folder: an executable script, run as root on one node about another."),
    peer: z
      .string()
      .regex(/^[\w.-]+$/, 'expected the name of a file below `lab/`')
      .optional()
      .describe('Script that runs on the other node before; its `KEY=value` lines become `PEER_KEY` for `run`.'),
    pairs: z
      .enum(['all', 'neighbours'])
      .default('all')
      .describe(
        '`all`: each node about each other one. `neighbours`: each node but the first, about one that it shares a link with.',
      ),
    timeoutSeconds: checkSeconds.describe('Seconds until either script counts as failed.'),
  })
  .describe('A question asked of two booted nodes on one network; exit status 0 means that it passed.')

const powerCheck = z
  .strictObject({
    ...checkNames,
    write: checkFile.describe(
      'File below `checks/`: an executable script that writes something and prints `ACCEPTED <token>` for each thing it was promised is kept.',
    ),
    verify: checkFile.describe(
      'File below `checks/`: an executable script, given a file of such tokens, a line each, which fails when something of them is lost.',
    ),
    timeoutSeconds: checkSeconds.describe('Seconds until either script counts as failed.'),
  })
  .describe('What must survive when the power is cut.')

const artifactName = z
  .string()
  .regex(/^[a-zA-Z0-9][\w.+-]*$/, 'an artifact name is letters, digits, `.`, `_`, `+` and `-`')
  .describe('Short name, unique in the stage.')

/** Where an artifact comes from. */
const origin = {
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected a SHA-256: 64 lower-case hexadecimal digits')
    .describe('SHA-256 of the file, 64 lower-case hexadecimal digits. An artifact without one is refused.'),
  url: z
    .string()
    .regex(/^https?:\/\/\S+$/, 'expected an address that begins with `https://` or `http://`')
    .optional()
    .describe('Where `pibake fetch` downloads it.'),
  file: z.string().min(1, 'expected the path of a file').optional().describe('Or: a file, relative to the stage.'),
  member: z
    .string()
    .regex(/^[^/].*$/, 'expected a name or a path without `/` before it')
    .optional()
    .describe('Of an archive (.deb, .tar.*, .pkg.tar.*), the one file to take: its path, or its name alone.'),
}

const hasOrigin = ({ url, file }: { url?: string | undefined; file?: string | undefined }): boolean =>
  url !== undefined || file !== undefined

/** Where an artifact lands. */
const place = {
  path: absolutePath.describe('Absolute path on the image where it lands.'),
  mode: z
    .string({ error: "expected a mode in quotes, such as '0755'" })
    .regex(/^0?[0-7]{3}$/, "expected a mode in quotes, such as '0755'")
    .transform((text) => Number.parseInt(text, 8))
    .prefault('0644')
    .describe("Permissions in octal, in quotes: '0644' (the default) or '0755'."),
  unpack: z
    .boolean()
    .optional()
    .describe('Whether it is an archive, whose files land below the path without the folder that all of them lie in.'),
}

const artifact = z
  .strictObject({ name: artifactName, ...origin, ...place })
  .refine(hasOrigin, { error: 'an artifact needs a `url` or a `file`' })
  .refine(({ member, unpack }) => !(unpack && member !== undefined), {
    error: 'an artifact is one `member` of an archive, or all that it holds (`unpack`), not both',
  })
  .describe('One file made by others, pinned by its SHA-256.')

const slot = z
  .strictObject({
    name: artifactName,
    description: someText.describe('What belongs here, for people who look for it.'),
    ...place,
  })
  .describe('A place for a file made by others that only a profile gives; empty otherwise.')

const givenArtifact = z
  .strictObject(origin)
  .refine(hasOrigin, { error: 'an artifact needs a `url` or a `file`' })
  .describe('One file made by others for a slot of the stage, pinned by its SHA-256.')

const languageCode = z.string().regex(/^[a-z]{2,3}$/, 'expected the code of a language, such as `es`')

const portal = z
  .strictObject({
    title: oneLine.describe('Heading of the entry.'),
    description: someText.describe('One sentence for the people who use the node.'),
    translations: z
      .record(
        languageCode,
        z.strictObject({
          title: oneLine.optional().describe('Heading in this language.'),
          description: someText.optional().describe('The sentence in this language.'),
        }),
      )
      .optional()
      .describe('The same in other languages, by their ISO 639 codes: `{es: {title, description}}`.'),
    path: z.string().startsWith('/', 'expected a path that begins with `/`').optional().describe('Such as `/ssb/`.'),
    port: z.int().min(1).max(65535, 'expected a port from 1 to 65535').optional().describe('TCP port, when not 80.'),
  })
  .describe("The stage's entry on the page that lists what the node offers.")

/** `stages/<name>/stage.yaml`. */
export const stageFileSchema = z
  .strictObject({
    name: stageName
      .refine((name) => !reservedNames.includes(name), 'pibake has a step of this name; give the stage another')
      .describe('Name of the stage, the same as its folder.'),
    version: z
      .string()
      .regex(/^[0-9][A-Za-z0-9.+~]*(-[A-Za-z0-9.+~]+)?$/, 'expected a Debian version such as `1.2.0`')
      .describe('Version of the Debian package `pibake-<name>`.'),
    summary: oneLine.max(80, 'expected at most 80 characters').describe('One line, at most 80 characters.'),
    description: someText.describe('A paragraph or more for people who choose stages.'),
    needs: z
      .array(need)
      .default([])
      .describe(
        'Stages that come before this one; pulled in when not listed. Of `a | b` one is enough, `a` when none is listed.',
      ),
    conflicts: z.array(stageName).default([]).describe('Stages that cannot be on the same image.'),
    packages: z.array(packageName).default([]).describe('Debian packages that the stage depends on.'),
    packagesFrom: z
      .partialRecord(z.enum(['sid', 'experimental', 'trixie-backports', 'forky']), z.array(packageName).min(1))
      .default({})
      .describe("Packages that come from another suite than the profile's, by suite; nothing else comes from there."),
    recommends: z.boolean().default(false).describe('Whether to install what those packages recommend as well.'),
    npm: z
      .boolean()
      .optional()
      .describe('Whether the stage carries an npm tree. Without it: when `npm/package.json` exists.'),
    artifacts: z.array(artifact).default([]).describe('Files made by others, each pinned by its SHA-256.'),
    slots: z.array(slot).default([]).describe('Places for files made by others that a profile may give.'),
    settings: z
      .record(settingName, setting)
      .default({})
      .describe('Settings that a profile may change; rendered into `/etc/pibake/<name>.conf`.'),
    checks: z.array(check).default([]).describe('What is asked of the booted image.'),
    labChecks: z.array(labCheck).default([]).describe('What is asked of several booted nodes about each other.'),
    powerChecks: z.array(powerCheck).default([]).describe('What must survive when the power is cut.'),
    portal: portal.optional(),
  })
  .describe('A pibake stage: one capability of a node.')

/** `stages/profiles/<name>.yaml`. */
export const profileFileSchema = z
  .strictObject({
    name: stageName.describe('Name of the profile, the same as its file.'),
    summary: oneLine.describe('One line.'),
    extends: z.string().min(1).optional().describe('Another profile, by name or by path, that this one adds to.'),
    base: z
      .string()
      .regex(
        basePattern,
        'expected `debian`, a name such as `raspios-lite-arm64`, an address, or a file ending in `.img`, `.img.xz`, `.img.gz`, `.img.zst` or `.zip`',
      )
      .optional()
      .describe(
        'What the bake starts from: `debian` (the default), an image by its name in the catalogue or its address, or an image file, relative to the checkout.',
      ),
    suite: z
      .enum(['trixie', 'forky', 'bookworm'])
      .optional()
      .describe('Debian release: `trixie` (the default), `forky` or `bookworm`.'),
    architecture: z
      .enum(['arm64', 'armhf'])
      .optional()
      .describe('`arm64` (the default), or `armhf` for 32-bit programs, as a 32-bit base image has them.'),
    hostname: hostName.optional().describe('Host name of the node; without it, the name of the profile.'),
    stages: z.array(stageName).default([]).describe('Stages in bake order, as far as their needs allow.'),
    settings: z
      .record(stageName, z.record(settingName, settingValue))
      .default({})
      .describe('Settings by stage: `{stage: {setting: value}}`.'),
    artifacts: z
      .record(stageName, z.record(artifactName, givenArtifact))
      .default({})
      .describe('Files made by others for the slots of stages: `{stage: {slot: {url, sha256}}}`.'),
    extraPackages: z
      .array(packageName)
      .default([])
      .describe("Debian packages that the image's own mirror carries besides what is installed."),
    image: z
      .strictObject({
        bootMiB: z
          .int()
          .min(64, 'expected at least 64 MiB')
          .optional()
          .describe('Boot partition in MiB; 256 if unset.'),
        marginMiB: z.int().min(0).optional().describe('Free space on the root file system in MiB; 256 if unset.'),
      })
      .default({})
      .describe('Sizes of the image.'),
  })
  .describe('A pibake profile: a named list of stages with settings.')

/** The network of a lab, in a file of the user's. */
export const topologyFileSchema = z
  .strictObject({
    links: z
      .array(z.array(hostName).min(2, 'a link joins two nodes or more'))
      .min(1, 'expected at least one link')
      .describe('Lists of host names: two nodes joined by a cable, or more on one switch.'),
  })
  .describe('The network of a pibake lab.')

export type StageFile = z.output<typeof stageFileSchema>
export type ProfileFile = z.output<typeof profileFileSchema>

export type Setting = StageFile['settings'][string]
export type SettingValue = Setting['default']
export type StageSettings = Readonly<Record<string, SettingValue>>
export type Suite = NonNullable<ProfileFile['suite']>

/** A stage on disk: its `stage.yaml` and where its folders are. In a resolved profile, the slots that it fills are artifacts. */
export interface Stage extends Omit<StageFile, 'npm'> {
  /** Whether it carries an npm tree: `npm/package.json` and `npm/package-lock.json`. */
  npm: boolean
  /** Absolute path of `stages/<name>`. */
  folder: string
  /** Absolute path of `overlays/<name>`, when there is one. */
  overlay: string | undefined
}

/** A profile with everything it names looked up; the input of fetch, plan and bake. */
export interface ResolvedProfile {
  name: string
  summary: string
  hostname: string
  base: Base
  suite: Suite
  target: TargetName
  architecture: Architecture
  /** What its lock and its image are called, see `outputName`. */
  output: string
  /** In bake order; every setting has a value. */
  stages: { stage: Stage; settings: StageSettings }[]
  extraPackages: string[]
  image: { bootMiB: number; marginMiB: number }
}
