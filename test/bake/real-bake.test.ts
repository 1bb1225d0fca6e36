import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { hashFile } from '../../builder/core/digest.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { readImageTree } from '../../builder/inspect/image-tree.ts'
import { summariseImage } from '../../builder/inspect/summary.ts'
import { readReport } from '../../builder/page/report-file.ts'
import { type Checkout, type JsonRun, makeCheckout } from '../support/checkout.ts'
import { leftovers } from '../support/leftovers.ts'
import { tools } from '../support/tools.ts'

const isRoot = process.getuid?.() === 0
const test = anyTest.serial as TestFn
const ifRoot = isRoot ? test : test.skip

let checkout: Checkout
let first: JsonRun

const bake = (): Promise<JsonRun> => checkout.runJson(['--profile', 'pub', '--offline'])

test.before(async () => {
  if (isRoot) checkout = await makeCheckout()
})
test.after.always(() => checkout?.remove())

ifRoot('with warm packages and only a loopback interface, all of pub is baked', async (t) => {
  t.timeout(600_000)
  first = await checkout.runJson(['--profile', 'pub'], { wrap: ['unshare', '--net'] })
  t.is(first.exitCode, 0, first.stderr.slice(-4000))
  t.deepEqual([first.started[0], ...first.started.slice(-2)], ['base', 'finalise', 'image'])
  t.is(first.data.ran, first.started.length)
  const image = join(checkout.project.root, String(first.data.image))
  t.is(String(await hashFile(image)), String(first.data.sha256))
  const report = await readReport(image)
  t.is(report?.bake?.sha256, String(first.data.sha256))
  t.deepEqual(
    report?.bake?.steps.filter(({ outcome }) => outcome === 'run').map(({ id }) => id),
    first.started,
  )
  // What packages need tells the same as the lock.
  await using tree = await readImageTree(image)
  t.deepEqual(summariseImage(tree).packages, report?.summary.packages)
  t.deepEqual(await leftovers(checkout.project.root), [])
  t.log(`${Math.round(first.durationMs / 1000)} s`)
})

ifRoot('a second run does nothing', async (t) => {
  const { started, data, durationMs } = await bake()
  t.deepEqual(started, [])
  t.deepEqual(data, { ...first.data, ran: 0 })
  t.log(`${Math.round(durationMs)} ms`)
})

/** Change one file, bake, put it back, bake again: which steps ran for the change; the image must be the first again. */
const edit = async (path: string, line: string): Promise<{ changed: JsonRun; restored: JsonRun }> => {
  const file = join(checkout.project.root, path)
  const before = await readFile(file)
  await appendFile(file, line)
  const changed = await bake()
  await writeFile(file, before)
  return { changed, restored: await bake() }
}

ifRoot('a line in the last stage bakes that stage alone, and putting it back bakes nothing anew', async (t) => {
  t.timeout(300_000)
  const last = first.started.at(-3) ?? ''
  const { changed, restored } = await edit('overlays/portal/etc/nginx/conf.d/pibake-portal.conf', '# a line\n')
  const own = await edit(`stages/${last}/postrm`, '# a line\n')
  t.true(changed.started.includes('portal'), changed.stderr.slice(-2000))
  t.not(changed.data.sha256, first.data.sha256)
  t.deepEqual(own.changed.started, [last, 'finalise', 'image'])
  t.is(own.changed.data.ran, 3)
  t.not(own.changed.data.sha256, first.data.sha256)
  const noticesOf = ({ events }: JsonRun) => events.flatMap((event) => (event.type === 'notice' ? [event.message] : []))
  t.is(
    noticesOf(own.changed).filter((text) => text.startsWith(`Stage \`${last}\` changed but is still version`)).length,
    1,
  )
  t.deepEqual(noticesOf(own.restored), noticesOf(first))
  for (const run of [restored, own.restored]) {
    t.deepEqual(run.started, ['image'])
    t.is(run.data.sha256, first.data.sha256)
  }
  t.log(
    `last stage ${Math.round(own.changed.durationMs / 1000)} s, image alone ${Math.round(restored.durationMs / 1000)} s`,
  )
})

ifRoot('a line in the first stage bakes everything above it, and not the base', async (t) => {
  t.timeout(300_000)
  const [base, ...above] = first.started
  const { changed, restored } = await edit('overlays/first-boot/usr/lib/pibake/first-boot/setup', '# a line\n')
  t.is(base, 'base')
  t.deepEqual(changed.started, above)
  t.not(changed.data.sha256, first.data.sha256)
  t.deepEqual(restored.started, ['image'])
  t.is(restored.data.sha256, first.data.sha256)
})

const filesBelow = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
}

ifRoot('dpkg knows the owner of every file that a stage brings', async (t) => {
  const { project } = checkout
  const { stdout } = await checkout.run(['plan', '--profile', 'pub', '--json'])
  const { steps } = JSON.parse(stdout) as { steps: { id: string; key: string; action: string }[] }
  const stages = steps.filter(({ id }) => !['base', 'finalise', 'image'].includes(id))
  t.true(stages.length >= 6)
  for (const { id, key, action } of stages) {
    t.is(action, 'cached')
    const admin = join(project.cache, 'layers', key, 'upper/var/lib/dpkg')
    const overlay = join(project.overlays, id)
    const paths = (await filesBelow(overlay)).map((path) => path.slice(overlay.length))
    paths.push(`/etc/pibake/${id}.conf`, `/usr/share/pibake/stages/${id}.json`)
    for (const path of await filesBelow(join(project.stages, id, 'checks'))) {
      paths.push(path.replace(join(project.stages, id, 'checks'), `/usr/lib/pibake/checks/${id}`))
    }
    const owners = await runTool(tools, ['dpkg-query', `--admindir=${admin}`, '--search', ...paths], {
      readOnly: [admin],
    })
    // A dpkg of another architecture names the target's; one of the same does not.
    const lines = owners.stdout.replaceAll(':arm64: ', ': ').split('\n')
    for (const path of paths) t.true(lines.includes(`pibake-${id}: ${path}`), `${id}: ${path}`)
  }
})
