import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { projectAt } from '../../builder/core/project.ts'
import { openDebianSource } from '../../builder/fetch/debian-source.ts'
import { fetchIndexes, readPackageTable } from '../../builder/fetch/indexes.ts'
import { resolveSteps } from '../../builder/fetch/resolve.ts'
import { walkDependencies } from '../../builder/fetch/walk.ts'
import { hostArchitecture } from '../../builder/host/architecture.ts'
import { twinPackages } from '../../builder/host/tools-packages.ts'
import { profileRequest } from '../../builder/lock/profile-request.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import { listStageNames } from '../../builder/profile/stage.ts'
import { realMirror } from '../support/mirror.ts'
import { checkout, tools } from '../support/tools.ts'

const project = projectAt(checkout)
const stages = await listStageNames(project)
const suites = ['bookworm', 'forky']
/**
 * Stages whose programs a suite lacks, as docs/services.md says, with those that need them; of the two homeservers, which
 * cannot be together, one.
 */
const absent: Readonly<Record<string, readonly string[]>> = {
  bookworm: ['asterisk', 'coturn', 'docker', 'matrix', 'matrix-web'],
  forky: ['icecast', 'tuwunel'],
}
const mirrorsOf = await Promise.all(suites.map(async (suite) => ({ suite, found: await realMirror(suite) })))

const folder = await mkdtemp(join(tmpdir(), 'pibake-test-suites-'))
test.after.always(() => rm(folder, { recursive: true, force: true }))

const blobs = openBlobs(join(folder, 'cache'))
const emit = () => {}
const source = openDebianSource({ blobs, emit })

/** What the base's own units and scripts run, by the package that has it, and what no base is to bring. */
const needed = ['kmod', 'login', 'mount', 'passwd', 'procps', 'raspi-firmware', 'systemd', 'udev', 'util-linux']
const unwanted = ['openssh-server', 'perl', 'python3', 'usrmerge']

for (const { suite, found } of mirrorsOf) {
  const real = 'mirrors' in found ? test.serial : test.serial.skip
  const why = 'reason' in found ? ` (skipped: ${found.reason})` : ''

  real(`${suite} has all that the base, the stages and the native twins ask for${why}`, async (t) => {
    t.timeout(300_000)
    if (!('mirrors' in found)) return
    const { mirrors } = found
    const file = join(folder, `${suite}.yaml`)
    const present = stages.filter((name) => !absent[suite]?.includes(name))
    await writeFile(file, `name: ${suite}\nsummary: All stages\nsuite: ${suite}\nstages: [${present.join(', ')}]\n`)
    const {
      steps,
      extras,
      architecture,
      packagesFrom = {},
    } = profileRequest(await resolveProfile(project, file), undefined)
    const read = async (architecture: string, packagesFrom = {}) => {
      // A mirror may carry old lists of a suite that is still being made; the names in them are what counts here.
      const asked = { source, mirrors, suite, packagesFrom, architecture, now: new Date(), acceptExpired: true, emit }
      const indexes = await fetchIndexes(asked)
      return { indexes, table: await readPackageTable(indexes, source.blobPath) }
    }
    const twins = walkDependencies((await read(hostArchitecture())).table, twinPackages)
    t.true(twins.some(({ name }) => name === 'perl-base'))

    const resolved = await resolveSteps({
      ...(await read(architecture, packagesFrom)),
      tools,
      blobPath: source.blobPath,
      architecture,
      steps,
      extras,
      scratch: folder,
      emit,
    })
    const base = resolved.steps.find(({ name }) => name === 'base')?.debs.map(({ name }) => name) ?? []
    t.deepEqual(
      needed.filter((name) => !base.includes(name)),
      [],
    )
    t.deepEqual(
      unwanted.filter((name) => base.includes(name)),
      [],
    )
    t.deepEqual(resolved.steps.map(({ name }) => name).sort(), steps.map(({ name }) => name).sort())
  })
}
