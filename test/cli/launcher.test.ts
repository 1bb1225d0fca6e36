import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { checkout } from '../support/tools.ts'

interface Machine {
  folder: string
  /** A checkout with the launcher, and a main.ts that prints its arguments. */
  home: string
  /** All of PATH but coreutils and a shell. */
  bin: string
}

const test = anyTest as TestFn<Machine>

const standard = [
  'sh',
  'uname',
  'mkdir',
  'mv',
  'rm',
  'cp',
  'cat',
  'cmp',
  'tar',
  'gzip',
  'base64',
  'od',
  'tr',
  'id',
  'env',
].concat(...['sha512sum', 'dirname', 'readlink', 'flock', 'sleep', 'chmod', 'head', 'tail'])

const writeProgram = async (path: string, text: string): Promise<void> => {
  await writeFile(path, `#!/bin/sh\n${text}\n`)
  await chmod(path, 0o755)
}

test.beforeEach(async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-test-'))
  const home = join(folder, 'a check out')
  const bin = join(folder, 'bin')
  await mkdir(join(home, 'builder/host'), { recursive: true })
  await mkdir(bin)
  for (const path of ['pibake', 'builder/host/setup.sh', 'builder/host/node.lock']) {
    await cp(join(checkout, path), join(home, path))
  }
  await writeFile(join(home, 'builder/main.ts'), 'console.log(JSON.stringify(process.argv.slice(2)))\n')
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) await writeFile(join(home, name), '{}\n')
  for (const name of standard) {
    for (const place of ['/usr/bin', '/bin']) await symlink(join(place, name), join(bin, name)).catch(() => undefined)
  }
  t.context = { folder, home, bin }
})
test.afterEach.always((t) => rm(t.context.folder, { recursive: true, force: true }))

const run = (machine: Machine, argv: readonly string[], cwd = '/') =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const [file = '', ...args] = argv
    execFile(file, args, { cwd, env: { PATH: machine.bin } }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })

/** A machine that has all: Node 24 on PATH, dependencies installed from this lock. */
const complete = async ({ home, bin }: Machine): Promise<void> => {
  await symlink(process.execPath, join(bin, 'node'))
  await mkdir(join(home, 'node_modules'))
  await cp(join(home, 'package-lock.json'), join(home, 'node_modules/.pibake-lock.json'))
}

/**
 * An npm whose package of Node holds a script that stands in for it, and that notes its calls. The lock pins that
 * package, or, with `pinned: false`, another one.
 */
const installNpm = async ({ folder, home, bin }: Machine, options: { pinned: boolean }): Promise<string> => {
  const calls = join(folder, 'npm-calls')
  const ran = join(folder, 'node-ran')
  await mkdir(join(folder, 'package/bin'), { recursive: true })
  const script = `echo ran >>'${ran}'\n[ "$1" != --version ] || { echo v24.0.0; exit; }\nexec '${process.execPath}' "$@"`
  await writeProgram(join(folder, 'package/bin/node'), script)
  await writeFile(join(folder, 'package/LICENSE'), '')
  await writeFile(join(folder, 'package/package.json'), '{}')
  await new Promise((resolve) => execFile('tar', ['-czf', 'node.tgz', 'package'], { cwd: folder }, resolve))
  const tarball = await readFile(join(folder, 'node.tgz'))
  const integrity = createHash('sha512')
    .update(options.pinned ? tarball : 'another')
    .digest('base64')
  const lock = ['x64', 'arm64'].map((machine) => `${machine} 24.0.0 sha512-${integrity} 1\n`)
  await writeFile(join(home, 'builder/host/node.lock'), `# comment\n${lock.join('')}`)
  await writeProgram(
    join(bin, 'npm'),
    [
      `echo "$1" >>'${calls}'`,
      'case $1 in',
      `  pack) for last; do :; done; cp '${folder}/node.tgz' "\${last%@*}-\${last#*@}.tgz" ;;`,
      '  ci) sleep 0.3; mkdir node_modules; echo whole >node_modules/marker ;;',
      'esac',
    ].join('\n'),
  )
  return calls
}

const callsIn = async (path: string): Promise<string[]> =>
  (await readFile(path, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')

const words = ['--profile', 'a b', '', '*', "it's"]

const starts = test.macro(async (t, argvOf: (machine: Machine) => Promise<{ argv: string[]; cwd: string }>) => {
  await complete(t.context)
  const { argv, cwd } = await argvOf(t.context)
  t.deepEqual(await run(t.context, [...argv, ...words], cwd), {
    code: 0,
    stdout: `${JSON.stringify(words)}\n`,
    stderr: '',
  })
})

test('by its path, which has spaces', starts, async ({ home }) => ({ argv: [join(home, 'pibake')], cwd: '/' }))
test('from the checkout', starts, async ({ home }) => ({ argv: ['./pibake'], cwd: home }))
test('by a shell, without a slash', starts, async ({ home, bin }) => ({ argv: [join(bin, 'sh'), 'pibake'], cwd: home }))
test('by a symbolic link to a relative symbolic link', starts, async ({ folder }) => {
  await symlink('a check out/pibake', join(folder, 'inner'))
  await mkdir(join(folder, 'deep'))
  await symlink('../inner', join(folder, 'deep/outer'))
  return { argv: [join(folder, 'deep/outer')], cwd: '/' }
})

test('with an old Node, one is brought and the dependencies are installed, once', async (t) => {
  const { home, bin } = t.context
  const calls = await installNpm(t.context, { pinned: true })
  await writeProgram(join(bin, 'node'), 'echo v18.20.4')
  const first = await run(t.context, [join(home, 'pibake'), 'x'])
  t.is(first.code, 0, first.stderr)
  t.is(first.stdout, '["x"]\n')
  t.regex(first.stderr, /downloading Node\.js 24\.0\.0 \(once; about 1 MB\)\n.*installing the npm dependencies \(once/)
  t.deepEqual(await callsIn(calls), ['pack', 'ci'])
  const second = await run(t.context, [join(home, 'pibake'), 'y'])
  t.deepEqual(second, { code: 0, stdout: '["y"]\n', stderr: '' })
  t.deepEqual(await callsIn(calls), ['pack', 'ci'])
  t.deepEqual(
    (await readdir(join(home, '.pibake'))).filter((name) => name.startsWith('setup.work')),
    [],
  )
})

test('a package of Node that is not the pinned one is not run', async (t) => {
  const { folder, home } = t.context
  await installNpm(t.context, { pinned: false })
  const { code, stdout, stderr } = await run(t.context, [join(home, 'pibake')])
  t.is(code, 1)
  t.is(stdout, '')
  t.regex(stderr, /✗ `node-linux-\w+@24\.0\.0` is not the package that pibake pins: its SHA-512 differs\.\n {2}→ /)
  t.deepEqual(await callsIn(join(folder, 'node-ran')), [])
  t.deepEqual(await readdir(join(home, '.pibake')), ['setup.lock'])
})

test('another lock installs the dependencies anew; what an interrupted set-up left goes', async (t) => {
  const { home } = t.context
  await complete(t.context)
  const calls = await installNpm(t.context, { pinned: true })
  await writeFile(join(home, 'package-lock.json'), '{"new": true}\n')
  await mkdir(join(home, '.pibake/setup.work.1/packages'), { recursive: true })
  const { code, stdout } = await run(t.context, [join(home, 'pibake')])
  t.is(code, 0)
  t.is(stdout, '[]\n')
  t.deepEqual(await callsIn(calls), ['ci'])
  t.is(await readFile(join(home, 'node_modules/marker'), 'utf8'), 'whole\n')
  t.is(await readFile(join(home, 'node_modules/.pibake-lock.json'), 'utf8'), '{"new": true}\n')
  t.false((await readdir(join(home, '.pibake'))).includes('setup.work.1'))
})

test('two at once set up once', async (t) => {
  const { home } = t.context
  const calls = await installNpm(t.context, { pinned: true })
  const results = await Promise.all(['1', '2', '3'].map((word) => run(t.context, [join(home, 'pibake'), word])))
  t.deepEqual(
    results.map(({ stdout }) => stdout),
    ['["1"]\n', '["2"]\n', '["3"]\n'],
  )
  t.deepEqual(await callsIn(calls), ['pack', 'ci'])
})

test('an npm that fails is quoted, and nothing is left half done', async (t) => {
  const { home, bin } = t.context
  await symlink(process.execPath, join(bin, 'node'))
  await writeProgram(join(bin, 'npm'), 'echo "npm error network"; exit 1')
  const { code, stderr } = await run(t.context, [join(home, 'pibake')])
  t.is(code, 1)
  t.regex(stderr, /npm error network\n✗ npm could not install the dependencies\.\n {2}→ .*npm ping/)
  t.deepEqual((await readdir(home)).includes('node_modules'), false)
})

test('without npm and without apt, one sentence says so', async (t) => {
  const { home } = t.context
  const { code, stdout, stderr } = await run(t.context, [join(home, 'pibake')])
  t.is(code, 1)
  t.is(stdout, '')
  t.is(
    stderr,
    '✗ npm is needed once, and is not installed.\n  → Install npm with the package manager of this machine, then run the same command again.\n',
  )
})
