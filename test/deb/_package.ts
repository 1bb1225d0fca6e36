import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { create } from 'tar'
import { type Project, projectAt } from '../../builder/core/project.ts'
import type { Tree } from '../../builder/deb/pack-tar.ts'
import { buildStagePackage, type StagePackage } from '../../builder/deb/package.ts'
import { readTree } from '../../builder/deb/read-tar.ts'
import type { StageSettings } from '../../builder/profile/schema.ts'
import { listStages } from '../../builder/profile/stage.ts'
import { type FileSpec, stageYaml, temporaryFolder, writeFiles } from '../profile/_project.ts'

/** A path that neither ustar's 100 nor its 255 bytes can hold, as deep npm trees have. */
export const longPath = `${'a-long-folder-name/node_modules/'.repeat(9)}index.js`

/** A stage that has everything: overlay, units, users, checks, npm tree, snippets, triggers. */
export const everything: Record<string, FileSpec> = {
  'stages/all/stage.yaml': stageYaml(
    'all',
    'needs: [first]',
    'packages: [nodejs, libc6]',
    'settings:',
    "  greeting: {description: What it says, default: it's}",
    '  max-peers: {description: How many, default: 3}',
    'checks: [{name: up, title: It is up, run: up}]',
    'portal: {title: All, description: Everything, path: /all/}',
  ),
  'stages/all/checks/up': '#!/bin/sh\nexit 0\n',
  'stages/all/npm/package.json': '{"name":"all"}\n',
  'stages/all/npm/package-lock.json': '{}\n',
  'stages/all/postinst': 'echo "snippet postinst $1"',
  'stages/all/postrm': 'echo "snippet postrm $1"\n',
  'stages/all/triggers': 'activate-noawait ldconfig\n',
  'overlays/all/etc/all.conf': 'a = 1\n',
  'overlays/all/etc/all.d/link': { link: '../all.conf' },
  'overlays/all/usr/bin/all': { executable: '#!/bin/sh\nexit 0\n' },
  'overlays/all/usr/lib/systemd/system/all.service':
    '[Service]\nExecStart=/usr/bin/all\n[Install]\nWantedBy=multi-user.target\n',
  'overlays/all/usr/lib/systemd/system/helper.service': '[Service]\nExecStart=/usr/bin/all\n',
  'overlays/all/usr/lib/sysusers.d/all.conf': 'u all - "All" /var/lib/all\n',
  'overlays/all/usr/lib/tmpfiles.d/all.conf': 'd /var/lib/all 0750 all all\n',
  'tree/node_modules/a/index.js': 'module.exports = 1\n',
  'tree/node_modules/.bin/a': { link: '../a/index.js' },
  [`tree/node_modules/${longPath}`]: 'deep\n',
  'tree/node_modules/é/ü.js': 'accents\n',
  'tree/node_modules/link': { link: longPath },
}

/** A checkout with these files, whose first stage `build` makes into a package. */
export const makeCheckout = async (
  t: ExecutionContext,
  files: Readonly<Record<string, FileSpec>> = everything,
): Promise<Project> => {
  const root = await temporaryFolder(t)
  await writeFiles(root, files)
  return projectAt(root)
}

/** The npm tree of the checkout, by way of an archive, as a bake takes it from the cache. */
const npmTreeOf = async (project: Project): Promise<Tree> => {
  const file = join(project.root, 'tree.tar')
  await create({ file, cwd: join(project.root, 'tree'), portable: true }, ['node_modules'])
  return readTree(file)
}

export const build = async (project: Project, settings: StageSettings = {}): Promise<StagePackage> => {
  const [stage] = await listStages(project)
  if (stage === undefined) throw new Error('no stage')
  return buildStagePackage({
    stage,
    settings,
    architecture: 'arm64',
    ...(stage.npm ? { npmTree: await npmTreeOf(project) } : {}),
    artifacts: [],
    timeSeconds: 1_700_000_000,
    destination: join(project.root, 'packages'),
  })
}
