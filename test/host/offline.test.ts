import test from 'ava'
import { isOffline, type NetworkFiles, offlineCommand, waysOut } from '../../builder/host/offline.ts'

const headings = 'Inter-|   Receive\n face |bytes    packets\n'
const loopback = '    lo:       0       0    0    0\n'
const routeHeading = 'Iface\tDestination\tGateway\tFlags\n'
const loopbackRoute = `${'0'.repeat(31)}1 80 ${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00000000 00000002 00000000 80200001       lo\n`

const onlyLoopback: NetworkFiles = { dev: headings + loopback, route: routeHeading, ipv6Route: loopbackRoute }

const finds = test.macro((t, files: Partial<NetworkFiles>, expected: readonly string[]) => {
  t.deepEqual(waysOut({ ...onlyLoopback, ...files }), expected)
})

test('loopback alone leads nowhere', finds, {}, [])
test('a kernel without IPv6', finds, { ipv6Route: '' }, [])
test('an interface, even one without a route', finds, { dev: `${headings}${loopback}  eth0: 12 3\n` }, [
  'interface eth0',
])
test('a default route', finds, { route: `${routeHeading}eth0\t00000000\t0101A8C0\t0003\n` }, ['IPv4 route by eth0'])
test('an IPv6 route', finds, { ipv6Route: loopbackRoute + loopbackRoute.replace('lo\n', 'wlan0\n') }, [
  'IPv6 route by wlan0',
])

test('the command ends with its parent and has namespaces of its own', (t) => {
  const command = offlineCommand(['node', 'main.ts', '--profile', 'a b'], { isRoot: true, parent: 12 })
  t.deepEqual(command, [
    ...['setpriv', '--pdeathsig', 'KILL', 'sh', '-c', 'test -d "/proc/$0" && exec "$@"', '12'],
    ...['unshare', '--net', '--pid', '--fork', '--kill-child=KILL', '--mount', '--mount-proc'],
    ...['--propagation', 'slave', '--'],
    ...['node', 'main.ts', '--profile', 'a b'],
  ])
  const unprivileged = offlineCommand(['node'], { isRoot: false, parent: 12 })
  t.true(unprivileged.includes('--map-current-user'))
})

test('a process knows that it was started to run without network', (t) => {
  t.true(isOffline({ PIBAKE_OFFLINE: '1' }))
  t.false(isOffline({}))
})
