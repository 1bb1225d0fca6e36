import type { Architecture } from '../host/architecture.ts'
import { alternativesOf, type SettingValue, type Stage, type StageSettings } from '../profile/schema.ts'

/** Name of the Debian package that a stage becomes. */
export const packageNameOf = (stageName: string): string => `pibake-${stageName}`

/** What a stage needs, as a relation between packages (Debian policy, section 7.1). */
const relationOf = (need: string): string => alternativesOf(need).map(packageNameOf).join(' | ')

/** `all`, or the image's own for a stage with an npm tree or artifacts, which may hold machine code. */
export const packageArchitectureOf = (
  stage: Pick<Stage, 'npm' | 'artifacts'>,
  architecture: Architecture,
): 'all' | Architecture => (stage.npm || stage.artifacts.length > 0 ? architecture : 'all')

/** Fold text at 78 columns into lines of an extended description, see Debian policy, section 5.6.13. */
const foldDescription = (text: string): string[] =>
  text
    .trim()
    .split(/\n\s*\n/)
    .flatMap((paragraph, index) => {
      const lines: string[] = index === 0 ? [] : [' .']
      let line = ''
      for (const word of paragraph.split(/\s+/).filter(Boolean)) {
        if (line !== '' && line.length + word.length + 1 > 78) {
          lines.push(line)
          line = ''
        }
        line += ` ${word}`
      }
      return [...lines, line]
    })

/** The control file of a stage's package. `installedKiB` is an estimate after deb-substvars(5). */
export const renderControl = (
  stage: Stage,
  { architecture, installedKiB }: { architecture: Architecture; installedKiB: number },
): string => {
  const depends = [...new Set([...stage.packages, ...stage.needs.map(relationOf)])]
  return [
    `Package: ${packageNameOf(stage.name)}`,
    `Version: ${stage.version}`,
    `Architecture: ${packageArchitectureOf(stage, architecture)}`,
    'Maintainer: pibake <pibake@localhost>',
    `Installed-Size: ${installedKiB}`,
    ...(depends.length > 0 ? [`Depends: ${depends.join(', ')}`] : []),
    ...(stage.conflicts.length > 0 ? [`Conflicts: ${stage.conflicts.map(packageNameOf).join(', ')}`] : []),
    'Section: misc',
    'Priority: optional',
    `Description: ${stage.summary}`,
    ...foldDescription(stage.description),
    '',
  ].join('\n')
}

/**
 * Quote a value so that sh and systemd's EnvironmentFile= read the same text. systemd knows no `'\''`, so a value with
 * a single quote stands in double quotes, where both undo a backslash before these four characters.
 */
const quoteValue = (value: string): string =>
  value.includes("'") ? `"${value.replaceAll(/["\\`$]/g, '\\$&')}"` : `'${value}'`

const renderValue = (value: SettingValue): string => (Array.isArray(value) ? value.join(' ') : String(value))

/** `/etc/pibake/<stage>.conf`: one `KEY='value'` a setting, for sh and for systemd's EnvironmentFile=. */
export const renderSettings = (stage: Pick<Stage, 'name' | 'settings'>, settings: StageSettings): string => {
  const entries = Object.entries(stage.settings).map(([name, setting]) => {
    const comment = setting.description.split('\n').map((line) => `# ${line.trim()}`.trimEnd())
    const key = name.toUpperCase().replaceAll('-', '_')
    return [...comment, `${key}=${quoteValue(renderValue(settings[name] ?? setting.default))}`].join('\n')
  })
  return `${[`# Settings of the stage ${stage.name}.`, ...entries].join('\n\n')}\n`
}

/** Folder on the image that holds a stage's checks. */
export const checksFolderOf = (stageName: string): string => `usr/lib/pibake/checks/${stageName}`

/** Folder on the image that holds what a stage asks of several nodes. */
export const labFolderOf = (stageName: string): string => `usr/lib/pibake/lab/${stageName}`

/** `/usr/share/pibake/stages/<stage>.json`: what the image itself knows about a stage. */
export const renderStageJson = (stage: Stage): string => {
  const checks = stage.checks.map(({ name, title, run, timeoutSeconds }) => ({
    name,
    title,
    path: `/${checksFolderOf(stage.name)}/${run}`,
    timeoutSeconds,
  }))
  const labChecks = stage.labChecks.map(({ name, title, run, peer, pairs, timeoutSeconds }) => ({
    name,
    title,
    path: `/${labFolderOf(stage.name)}/${run}`,
    ...(peer === undefined ? {} : { peerPath: `/${labFolderOf(stage.name)}/${peer}` }),
    pairs,
    timeoutSeconds,
  }))
  const powerChecks = stage.powerChecks.map(({ name, title, write, verify, timeoutSeconds }) => ({
    name,
    title,
    writePath: `/${checksFolderOf(stage.name)}/${write}`,
    verifyPath: `/${checksFolderOf(stage.name)}/${verify}`,
    timeoutSeconds,
  }))
  const { name, version, summary, portal } = stage
  const content = {
    ...{ name, version, summary, portal, checks },
    ...(labChecks.length > 0 ? { labChecks } : {}),
    ...(powerChecks.length > 0 ? { powerChecks } : {}),
  }
  return `${JSON.stringify(content, undefined, 2)}\n`
}

/** `/usr/share/doc/<package>/copyright`, in Debian's machine-readable format 1.0. */
export const renderCopyright = (stage: Pick<Stage, 'name' | 'npm' | 'artifacts'>): string => {
  const paragraphs = [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: pibake',
    `Files: *\nCopyright: the pibake authors\nLicense: MIT`,
  ]
  if (stage.npm) {
    paragraphs.push(
      `Files: opt/pibake/${stage.name}/node_modules/*\nCopyright: the authors of each package\nLicense: as-stated-by-each-package\n Each folder has the license of its package.`,
    )
  }
  for (const artifact of stage.artifacts) {
    paragraphs.push(
      `Files: ${artifact.path.slice(1)}\nCopyright: its authors\nLicense: as-stated-by-its-authors\n Made by others and carried as it is.`,
    )
  }
  paragraphs.push(`License: MIT\n${mitLicense}`)
  return `${paragraphs.join('\n\n')}\n`
}

const mitLicense = ` Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
 documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
 rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
 persons to whom the Software is furnished to do so, subject to the following conditions:
 .
 The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
 Software.
 .
 THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
 WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
 COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
 OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`
