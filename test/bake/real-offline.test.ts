import { access, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { makeCheckout } from '../support/checkout.ts'

const isRoot = process.getuid?.() === 0
const test = anyTest.serial as TestFn

const hasStrace = await Promise.any(
  (process.env.PATH ?? '').split(delimiter).map((folder) => access(join(folder, 'strace'))),
).then(
  () => true,
  () => false,
)
const title = `no process of a bake speaks to an address${hasStrace ? '' : ' (skipped: strace is not installed)'}`

/** An address of its own: loopback, or the unspecified one, to which nothing can be sent. */
const isOwnAddress = (call: string): boolean =>
  /inet_addr\("(?:127\.[\d.]+|0\.0\.0\.0)"\)|inet_pton\(AF_INET6, "::1?"/.test(call)

const run = isRoot && hasStrace ? test : test.skip
run(title, async (t) => {
  t.timeout(600_000)
  const checkout = await makeCheckout()
  const folder = await mkdtemp(join(tmpdir(), 'pibake-test-'))
  try {
    await checkout.addProfile('small', ['stages: [ssh, first-boot]'])
    const trace = join(folder, 'trace')
    const calls = 'trace=socket,connect,sendto,sendmsg,sendmmsg'
    const strace = ['strace', '-f', '--seccomp-bpf', '-qq', '-e', calls, '-e', 'signal=none', '-o', trace]
    const { exitCode, stderr } = await checkout.runJson(['--profile', 'small', '--offline'], { wrap: strace })
    t.is(exitCode, 0, stderr.slice(-4000))
    const lines = (await readFile(trace, 'utf8')).split('\n')
    t.true(
      lines.some((line) => line.includes('AF_UNIX')),
      'something was seen',
    )
    const calling = lines.filter((line) => /\b(?:connect|sendto|sendmsg|sendmmsg)\(.*sa_family=AF_INET6?\b/.test(line))
    t.deepEqual(
      calling.filter((line) => !isOwnAddress(line)),
      [],
    )
  } finally {
    await rm(folder, { recursive: true })
    await checkout.remove()
  }
})
