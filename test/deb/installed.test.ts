import test from 'ava'
import { installedPackages } from '../../builder/deb/installed.ts'
import { writeFiles } from '../profile/_project.ts'
import { scratch } from '../support/scratch.ts'

const status = `Package: bash
Status: install ok installed
Version: 5.2.37-2
Description: a shell
 Version: not a field

Package: gone
Status: deinstall ok config-files
Version: 1

Package: half
Status: install ok half-configured
Version: 2

Package: held
Status: hold ok installed
Version: 3

Package: tar
Status: install ok installed
Version: 1:1.35
`

test('what is installed, with its version; not what is half there or gone', async (t) => {
  const root = await scratch(t)
  await writeFiles(root, { 'var/lib/dpkg/status': status })
  const installed = await installedPackages(root)
  t.is(installed.get('bash'), '5.2.37-2')
  t.is(installed.get('tar'), '1:1.35')
  t.false(installed.has('gone'))
  t.false(installed.has('half'))
})

test('a root without dpkg has nothing installed', async (t) => {
  t.is((await installedPackages(await scratch(t))).size, 0)
})
