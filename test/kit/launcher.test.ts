import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { create } from 'tar'
import { hashBytes } from '../../builder/core/digest.ts'
import { checkout } from '../support/tools.ts'

interface Machine {
  folder: string
  /** A stick with the launcher, and a pibake that prints its arguments. */
  stick: string
  desk: string
  /** All of PATH: what every Debian has, and no Node. */
  bin: string
}

const test = anyTest as TestFn<Machine>

const standard = [
  'sh',
  'uname',
  'id',
  'dirname',
  'readlink',
  'mkdir',
  'rm',
  'cat',
  'cp',
  'mv',
  'cmp',
  'tar',
  'gzip',
  'flock',
  'sha256sum',
]

type Files = Readonly<Record<string, string | { program: string } | { link: string }>>

const writeAll = async (folder: string, files: Files): Promise<void> => {
  for (const [path, content] of Object.entries(files)) {
    const target = join(folder, path)
    await mkdir(dirname(target), { recursive: true })
    if (typeof content === 'string') await writeFile(target, content)
    else if ('link' in content) await symlink(content.link, target)
    else {
      await writeFile(target, content.program)
      await chmod(target, 0o755)
    }
  }
}

/** Put an archive with these files onto the stick. */
const pack = async (
  { folder, stick }: Pick<Machine, 'folder' | 'stick'>,
  part: string,
  files: Files,
): Promise<void> => {
  const source = await mkdtemp(join(folder, 'source-'))
  await writeAll(source, files)
  const paths = Object.keys(files)
  await create({ file: join(stick, `kit/${part}.tar.gz`), cwd: source, gzip: true, portable: true }, paths)
}

const writeSums = async (stick: string): Promise<void> => {
  const names = await readdir(join(stick, 'kit'))
  const lines = await Promise.all(
    names.map(async (name) => `${hashBytes(await readFile(join(stick, 'kit', name)))}  kit/${name}\n`),
  )
  await writeFile(join(stick, 'SHA256SUMS'), lines.join(''))
}

const main = 'console.log(JSON.stringify([process.env.PIBAKE_STICK, ...process.argv.slice(2)]))\n'

/** A pibake that takes a stick for signed as it should be, or not, and says what it was asked. */
const judge = (verdict: 0 | 1): string =>
  `const words = process.argv.slice(2)
if (words[0] === 'kit') { console.log('asked ' + words.join(' ')); process.exit(${verdict}) }
${main}`

const sources = async (more: Files = {}): Promise<Files> => {
  const text = (path: string): Promise<string> => readFile(join(checkout, path), 'utf8')
  return {
    pibake: { program: await text('pibake') },
    'package-lock.json': '{}\n',
    'builder/host/setup.sh': await text('builder/host/setup.sh'),
    'builder/host/node.lock': `${process.arch} 24.0.0 sha512-x 1\n`,
    'builder/main.ts': judge(0),
    'builder/a-link.ts': { link: 'main.ts' },
    'packages-cache/locks/pub.lock.json': '{}\n',
    ...more,
  }
}

test.beforeEach(async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-test-'))
  const machine = { folder, stick: join(folder, 'my stick'), desk: join(folder, 'the desk'), bin: join(folder, 'bin') }
  t.context = machine
  await mkdir(join(machine.stick, 'kit'), { recursive: true })
  await mkdir(machine.bin)
  for (const name of standard) {
    for (const place of ['/usr/bin', '/bin'])
      await symlink(join(place, name), join(machine.bin, name)).catch(() => undefined)
  }
  await cp(join(checkout, 'builder/kit/launcher.sh'), join(machine.stick, 'pibake'))
  // As FAT without `showexec`, or a stick that is mounted noexec, gives it.
  await chmod(join(machine.stick, 'pibake'), 0o644)
  await pack(machine, `node-${process.arch}`, {
    '.pibake/node/bin/node': { program: `#!/bin/sh\nexec '${process.execPath}' "$@"\n` },
    '.pibake/node/pibake-integrity': 'sha512-x\n',
  })
  await pack(machine, 'node_modules', { 'node_modules/a/package.json': '{}' })
  await pack(machine, 'pibake', await sources())
  await writeFile(join(machine.stick, 'pibake-kit.asc'), 'the key')
  await writeSums(machine.stick)
})
test.afterEach.always((t) => rm(t.context.folder, { recursive: true, force: true }))

const run = ({ stick, bin, desk }: Machine, args: readonly string[] = [], env: Record<string, string> = {}) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const options = { cwd: '/', env: { PATH: bin, PIBAKE_DESK: desk, ...env } }
    execFile(join(bin, 'sh'), [join(stick, 'pibake'), ...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })

const digestsBelow = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return (
    await Promise.all(
      files.map(
        async (file) =>
          `${file} ${createHash('sha256')
            .update(await readFile(file))
            .digest('hex')}`,
      ),
    )
  ).sort()
}

const words = ['--profile', 'a b', '', '*', "it's"]

test('it unpacks itself once and starts, whatever the words', async (t) => {
  const before = await digestsBelow(t.context.stick)
  const first = await run(t.context, words)
  t.is(first.code, 0, first.stderr)
  t.is(first.stdout, `${JSON.stringify([t.context.stick, ...words])}\n`)
  t.is(first.stderr.match(/unpacking/g)?.length, 3)
  t.deepEqual(await run(t.context, words), { code: 0, stdout: first.stdout, stderr: '' })
  t.deepEqual(await digestsBelow(t.context.stick), before, 'nothing is written to the stick')
  t.deepEqual(
    (await readdir(join(t.context.desk, '.pibake'))).filter((name) => name.startsWith('stick.work')),
    [],
  )
  t.is(await readFile(join(t.context.desk, 'builder/a-link.ts'), 'utf8'), judge(0))
})

test('a newer stick brings what is new; what was made on the desk stays', async (t) => {
  const { desk, stick } = t.context
  await run(t.context)
  await writeAll(desk, { 'images/pub.img': 'an image', 'packages-cache/blobs/aa/b': 'a blob', 'stages/mine': 'edited' })
  await pack(t.context, 'pibake', await sources({ 'builder/main.ts': 'console.log("newer")\n', 'stages/one': 'stage' }))
  await writeSums(stick)
  const { stdout, stderr } = await run(t.context)
  t.is(stdout, 'newer\n')
  t.is(stderr.match(/unpacking/g)?.length, 1)
  t.is(await readFile(join(desk, 'images/pub.img'), 'utf8'), 'an image')
  t.is(await readFile(join(desk, 'packages-cache/blobs/aa/b'), 'utf8'), 'a blob')
  t.is(await readFile(join(desk, '.pibake/previous/stages/mine'), 'utf8'), 'edited')
  await t.throwsAsync(readFile(join(desk, 'stages/mine')))
})

test('a damaged archive is named, and nothing of it is run', async (t) => {
  const path = join(t.context.stick, 'kit/pibake.tar.gz')
  const bytes = await readFile(path)
  bytes[20] = (bytes[20] ?? 0) ^ 1
  await writeFile(path, bytes)
  const { code, stdout, stderr } = await run(t.context)
  t.is(code, 1)
  t.is(stdout, '')
  t.regex(stderr, /`kit\/pibake\.tar\.gz` on the stick is damaged: its SHA-256 is not the one in SHA256SUMS/)
  await t.throwsAsync(readFile(join(t.context.desk, 'builder/main.ts')))
})

test('one that was interrupted while it unpacked starts over', async (t) => {
  const { desk } = t.context
  await writeAll(desk, { '.pibake/stick.work.1/pibake/half': '', '.pibake/node/bin/half': '' })
  const { code, stderr } = await run(t.context)
  t.is(code, 0, stderr)
  t.false((await readdir(join(desk, '.pibake'))).includes('stick.work.1'))
})

test('a stick that is not finished is not used', async (t) => {
  await writeFile(join(t.context.stick, 'kit/unfinished'), '')
  const { code, stderr } = await run(t.context)
  t.is(code, 1)
  t.regex(stderr, /This stick is not finished/)
  await t.throwsAsync(readdir(t.context.desk))
})

test('a stick for other machines says so', async (t) => {
  await rm(join(t.context.stick, `kit/node-${process.arch}.tar.gz`))
  await writeSums(t.context.stick)
  const { code, stderr } = await run(t.context)
  t.is(code, 1)
  t.regex(stderr, /This stick has no pibake for `(x64|arm64)` machines/)
})

test('a Node that does not run here is not put in place', async (t) => {
  await pack(t.context, `node-${process.arch}`, { '.pibake/node/bin/node': { program: '#!/bin/sh\nexit 1\n' } })
  await writeSums(t.context.stick)
  const { code, stderr } = await run(t.context)
  t.is(code, 1)
  t.regex(stderr, /Node does not run from/)
  await t.throwsAsync(readdir(join(t.context.desk, '.pibake/node')))
})

test('a desk that cannot be made says how to name another', async (t) => {
  await writeFile(join(t.context.folder, 'file'), '')
  const { code, stderr } = await run(t.context, [], { PIBAKE_DESK: join(t.context.folder, 'file/desk') })
  t.is(code, 1)
  t.regex(stderr, /cannot be written.*PIBAKE_DESK/s)
})

test('by a link to it, from elsewhere', async (t) => {
  await symlink(join(t.context.stick, 'pibake'), join(t.context.folder, 'pibake'))
  const { stdout } = await run({ ...t.context, stick: t.context.folder })
  t.is(stdout, `${JSON.stringify([t.context.stick])}\n`)
})

test('two at once set up one after the other', async (t) => {
  const runs = await Promise.all([run(t.context, ['1']), run(t.context, ['2'])])
  t.deepEqual(
    runs.map(({ code }) => code),
    [0, 0],
    runs.map(({ stderr }) => stderr).join(''),
  )
})

test('the pibake of the stick before checks who signed the next; nothing of another is run', async (t) => {
  const { stick, desk } = t.context
  const trusted = join(desk, '.pibake/from-stick/pibake-kit.asc')
  await pack(t.context, 'pibake', await sources({ 'builder/main.ts': judge(1) }))
  await writeSums(stick)
  await run(t.context)
  t.is(await readFile(trusted, 'utf8'), 'the key')
  await writeFile(join(stick, 'pibake-kit.asc'), 'another key')
  await pack(t.context, 'pibake', await sources({ 'builder/main.ts': 'console.log("newer")\n' }))
  await writeSums(stick)
  const refused = await run(t.context)
  t.is(refused.code, 1)
  t.true(refused.stderr.includes(`asked kit verify ${stick} --quick --key ${trusted}`), refused.stderr)
  t.regex(refused.stderr, /Nothing of this stick is used here/)
  t.is(refused.stdout, '')
  t.is(await readFile(trusted, 'utf8'), 'the key')
  await rm(trusted)
  t.is((await run(t.context)).stdout, 'newer\n')
  t.is(await readFile(trusted, 'utf8'), 'another key')
})
