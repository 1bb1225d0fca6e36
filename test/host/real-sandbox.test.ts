import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { runTool } from '../../builder/host/sandbox.ts'
import { tools } from '../support/tools.ts'

const ifRoot = process.getuid?.() === 0 ? test : test.skip

for (const place of ['/var/lib', '/var/tmp', '/usr/src', '/etc']) {
  ifRoot(`a folder in ${place}, which the tree has too, is handed to a tool`, async (t) => {
    const folder = await mkdtemp(join(place, 'pibake-test-'))
    t.teardown(() => rm(folder, { recursive: true }))
    await writeFile(join(folder, 'given'), 'given\n')
    const script = 'cp "$1/given" "$1/made" && ls "$2" && ls -d /usr/bin/tar /etc/passwd /var/lib/dpkg >/dev/null'
    const { stdout } = await runTool(tools, ['sh', '-c', script, 'sh', folder, place], { writable: [folder] })
    t.is(await readFile(join(folder, 'made'), 'utf8'), 'given\n')
    const inTree = await readdir(join(tools.root, place)).catch(() => [])
    t.deepEqual(
      stdout.split('\n').sort(),
      [...inTree, folder.slice(place.length + 1)].sort(),
      'nothing else of the host',
    )
    const only = runTool(tools, ['touch', join(folder, 'more')], { readOnly: [folder] })
    await t.throwsAsync(only, { message: /`touch` failed/ })
  })
}
