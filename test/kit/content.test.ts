import test from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import { componentOf, debPath, settle } from '../../builder/kit/content.ts'
import { pathFault } from '../../builder/kit/manifest.ts'
import { deb } from '../lock/_lock.ts'

const item = (path: string, content = path) => ({
  path,
  sizeBytes: content.length,
  sha256: hashBytes(content),
  label: path,
})

test('where packages lie', (t) => {
  t.is(debPath(deb('nginx')), 'pool/main/n/nginx/nginx_1_arm64.deb')
  t.is(debPath(deb('libssl3t64', '3.5.1-1')), 'pool/main/libs/libssl3t64/libssl3t64_3.5.1-1_arm64.deb')
  t.is(debPath({ ...deb('vim', '2:9.1'), archive: 'security' }), 'pool/main/v/vim/vim_2%3a9.1_arm64.deb')
  t.is(debPath({ ...deb('raspi-config'), archive: 'raspi' }), 'pool/raspi/r/raspi-config/raspi-config_1_arm64.deb')
  t.is(pathFault(debPath(deb('vim', '2:9.1~rc1+b1'))), undefined)
})

test('security updates are of the same component as what they replace', (t) => {
  t.is(componentOf({ ...deb('vim'), archive: 'security' }), 'main')
  t.is(componentOf({ ...deb('vim'), archive: 'raspi' }), 'raspi')
})

test('one content is carried once', (t) => {
  t.deepEqual(settle([item('a', 'x'), item('b', 'x'), item('a', 'x')]), [item('a', 'x')])
})

test('two contents never share a path, nor one that FAT takes for the same', (t) => {
  const settled = settle([item('npm/JSONStream-1.tgz', 'x'), item('npm/jsonstream-1.tgz', 'y'), item('npm/z', 'z')])
  t.deepEqual(
    settled.map(({ path }) => path),
    ['npm/JSONStream-1.tgz', `npm/${hashBytes('y').slice(0, 8)}-jsonstream-1.tgz`, 'npm/z'],
  )
})
