import test from 'ava'
import { choosePruned, hasTargetPrebuild, type NpmManifest } from '../../builder/deb/npm-prune.ts'
import type { Architecture } from '../../builder/host/architecture.ts'

const cases: {
  title: string
  manifest?: NpmManifest
  texts?: Record<string, string>
  files: string[]
  gone: string[]
}[] = [
  {
    title: 'types and maps, not other files of such names',
    files: ['index.js', 'index.d.ts', 'a.d.mts', 'index.js.map', 'x.min.map', 'world.map', 'source.ts'],
    gone: ['index.d.ts', 'a.d.mts', 'index.js.map', 'x.min.map'],
  },
  {
    title: 'native sources where there is a prebuild, and foreign prebuilds',
    files: [
      'prebuilds/linux-arm64/node.napi.node',
      'prebuilds/linux-x64/node.napi.node',
      'prebuilds/darwin-x64+arm64/node.napi.node',
      'prebuilds/fallback/x.js',
      'binding.gyp',
      'src/a.cc',
      'deps/leveldb/README',
      'deps/leveldb/LICENSE',
      'binding.js',
    ],
    gone: [
      'prebuilds/linux-x64/node.napi.node',
      'prebuilds/darwin-x64+arm64/node.napi.node',
      'binding.gyp',
      'src/a.cc',
      'deps/leveldb/README',
    ],
  },
  {
    title: 'no sources where nothing is compiled for the image',
    files: ['prebuilds/win32-x64/a.node', 'binding.gyp', 'a.c', 'deps/x.h'],
    gone: ['prebuilds/win32-x64/a.node'],
  },
  {
    title: 'folders at the top only, licences kept',
    files: ['test/a.js', 'tests/b.js', 'docs/NOTICE.md', 'docs/x.md', 'lib/test/c.js', 'benchmarks/x.js', 'test.js'],
    gone: ['test/a.js', 'tests/b.js', 'docs/x.md', 'benchmarks/x.js'],
  },
  {
    title: 'nothing that package.json leads to',
    manifest: { main: './docs/index.js', exports: { './t': { import: './test/t.mjs' } }, bin: { x: 'example/x.js' } },
    files: ['docs/index.js', 'docs/other.js', 'test/t.mjs', 'test/u.mjs', 'example/x.js', 'examples/y.js'],
    gone: ['examples/y.js'],
  },
  {
    title: 'nothing that the code loads',
    texts: {
      'a.js': "require('./docs/x')",
      'lib/b.js': "path.join(__dirname, '..', 'example', 'y')",
      'c.js': "t === 'test'",
    },
    files: ['a.js', 'lib/b.js', 'c.js', 'docs/x.js', 'example/y', 'test/z.js'],
    gone: ['test/z.js'],
  },
  {
    title: 'tests although package.json names their folder',
    manifest: { directories: { test: 'test', lib: './docs' } },
    files: ['test/a.js', 'docs/a.js'],
    gone: ['test/a.js'],
  },
]

for (const { title, manifest = {}, texts = {}, files, gone } of cases) {
  test(`pruned: ${title}`, async (t) => {
    const readText = async (file: string): Promise<string> => texts[file] ?? ''
    t.deepEqual([...(await choosePruned({ manifest, files, architecture: 'arm64', readText }))].sort(), gone.toSorted())
  })
}

test('prebuilds joined by + count for each architecture', (t) => {
  const joined = ['prebuilds/linux-x64+arm64/a.node']
  t.true(hasTargetPrebuild(joined, 'arm64'))
  t.true(hasTargetPrebuild(joined, 'amd64'))
  t.false(hasTargetPrebuild(joined, 'armhf'))
  t.false(hasTargetPrebuild(['prebuilds/android-arm64/a.node', 'prebuilds/linux-arm/a.node'], 'arm64'))
})

test('each architecture keeps its own prebuild', async (t) => {
  const files = ['prebuilds/linux-x64/a.node', 'prebuilds/linux-arm64/a.node', 'index.js']
  const gone = (architecture: Architecture) =>
    choosePruned({ manifest: {}, files, architecture, readText: async () => '' })
  t.deepEqual([...(await gone('amd64'))], ['prebuilds/linux-arm64/a.node'])
  t.deepEqual([...(await gone('arm64'))], ['prebuilds/linux-x64/a.node'])
})
