import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { appendLedger, type LedgerEntry, ledgerPath, lockLedger, readLedger } from '../../builder/card/ledger.ts'
import { projectAt } from '../../builder/core/project.ts'
import { spawnCommand } from '../../builder/host/command.ts'
import { scratch } from '../support/scratch.ts'
import { checkout } from '../support/tools.ts'

const entry = (hostname: string): LedgerEntry => ({
  time: '2026-11-22T05:00:00.000Z',
  hostname,
  image: { name: 'mesh.img', sha256: 'a'.repeat(64), sizeBytes: 7 },
  device: { name: 'sdb', model: 'SD Card Reader', serial: '0123', sizeBytes: 9 },
})

test('what was entered is read, in order', async (t) => {
  const path = ledgerPath(projectAt(await scratch(t)))
  t.deepEqual(await readLedger(path), [])
  await appendLedger(path, { ...entry('alder'), role: 'gate' })
  await appendLedger(path, entry('birch'))
  t.deepEqual(await readLedger(path), [{ ...entry('alder'), role: 'gate' }, entry('birch')])
})

test('many at once are all entered, each on a line', async (t) => {
  const path = join(await scratch(t), 'cards.jsonl')
  const names = Array.from({ length: 40 }, (_, index) => `card-${index}`)
  await appendLedger(path, entry('first'))
  await Promise.all(names.map((name) => appendLedger(path, entry(name))))
  t.deepEqual((await readLedger(path)).map(({ hostname }) => hostname).sort(), [...names, 'first'].sort())
})

test('a line that was cut off harms neither those before nor the next', async (t) => {
  const path = join(await scratch(t), 'cards.jsonl')
  await appendLedger(path, entry('alder'))
  await appendFile(path, '{"time":"2026-11-22T0')
  await appendLedger(path, entry('birch'))
  t.deepEqual(
    (await readLedger(path)).map(({ hostname }) => hostname),
    ['alder', 'birch'],
  )
  t.is((await readFile(path, 'utf8')).split('\n').length, 4)
})

test('what cannot be written is said', async (t) => {
  const folder = await scratch(t)
  await writeFile(join(folder, 'file'), '')
  await t.throwsAsync(appendLedger(join(folder, 'file', 'cards.jsonl'), entry('x')), { code: 'USAGE' })
})

test('one at a time', async (t) => {
  const path = join(await scratch(t), 'cards.jsonl')
  {
    await using _held = await lockLedger(path)
    await t.throwsAsync(lockLedger(path), { code: 'BUSY', message: 'Another pibake is giving cards their names.' })
    await appendLedger(path, entry('alder'))
  }
  await using _again = await lockLedger(path)
  t.is((await readLedger(path)).length, 1)
})

test('a lock ends with the process that held it, however that ends', async (t) => {
  const path = join(await scratch(t), 'cards.jsonl')
  const module = join(checkout, 'builder/card/ledger.ts')
  const script = `const {lockLedger} = await import(${JSON.stringify(module)}); await lockLedger(${JSON.stringify(path)}); console.log('held'); setInterval(() => {}, 1000)`
  const other = spawnCommand([process.execPath, '--input-type=module', '--eval', script])
  await new Promise((resolve) => other.stdout.once('data', resolve))
  await t.throwsAsync(lockLedger(path), { code: 'BUSY' })
  other.kill('SIGKILL')
  await other
  for (;;) {
    // The pipe that keeps the lock closes with the process; its other end hears of it a moment later.
    const held = await lockLedger(path).catch(() => undefined)
    if (held) return t.notThrowsAsync(async () => held[Symbol.asyncDispose]())
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
})
