import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { runInRoot, type TargetRoot, writeScaffold } from '../../builder/root/root.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'

const ifRoot = process.getuid?.() === 0 ? test : test.skip

ifRoot('a package that removes the link to the native linker does so for its own command only', async (t) => {
  const folder = await scratch(t)
  const scaffold = join(folder, 'scaffold')
  await writeScaffold(scaffold, true)
  const root: TargetRoot = {
    tools,
    native: tools,
    architecture: 'arm64',
    lower: [scaffold],
    layer: join(folder, 'layer'),
    inside: scaffold,
    dispatcher: undefined,
    timeSeconds: 0,
  }
  const seen: string[] = []
  const run = (script: string) => runInRoot(root, ['sh', '-ec', script], { onLine: (line) => seen.push(line) })
  await run('readlink /target/lib64; rm /target/lib64; test ! -e /target/lib64; echo a >/target/kept')
  await run('readlink /target/lib64; cat /target/kept')
  t.deepEqual(seen, ['usr/lib64', 'usr/lib64', 'a'])
  t.deepEqual(await readdir(join(root.layer, 'upper')), ['kept'])
})
