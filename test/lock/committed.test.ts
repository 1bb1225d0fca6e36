import { readdir } from 'node:fs/promises'
import { basename } from 'node:path'
import test from 'ava'
import { projectAt } from '../../builder/core/project.ts'
import { lockPath, readLock } from '../../builder/lock/file.ts'
import { profileRequest } from '../../builder/lock/profile-request.ts'
import { staleReasons } from '../../builder/lock/request.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import { splitOutputName } from '../../builder/profile/target.ts'
import { checkout } from '../support/tools.ts'

const project = projectAt(checkout)
const profiles = new Set((await readdir(project.profiles)).map((file) => basename(file, '.yaml')))
const outputs = (await readdir(project.locks))
  .map((file) => basename(file, '.lock.json'))
  .filter((name) => profiles.has(splitOutputName(name).profile))

test('the profiles of the project are locked, pub for every target', (t) => {
  for (const name of ['community', 'pub', 'pub-vm-amd64', 'pub-vm-arm64']) t.true(outputs.includes(name), name)
})

for (const output of outputs) {
  test(`the lock of ${output} fits what its stages ask for`, async (t) => {
    const { profile: name, target } = splitOutputName(output)
    const profile = await resolveProfile(project, name, { target })
    t.deepEqual(staleReasons(await readLock(lockPath(project.locks, output)), profileRequest(profile, undefined)), [])
  })
}
