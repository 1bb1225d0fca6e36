import test from 'ava'
import { basePackagesOf, kernelPackageOf } from '../../builder/profile/base-packages.ts'
import { defaultTarget, outputName, splitOutputName, targetNames, targets } from '../../builder/profile/target.ts'

test('the Pi keeps the name of the profile, every other target adds its own', (t) => {
  t.deepEqual(
    targetNames.map((target) => outputName('pub', target)),
    ['pub', 'pub-vm-amd64', 'pub-vm-arm64'],
  )
  t.is(defaultTarget, 'rpi-arm64')
})

test('the name of an image tells its profile and its target', (t) => {
  for (const profile of ['pub', 'vm-amd64', 'my-vm-arm64-pub']) {
    for (const target of targetNames) t.deepEqual(splitOutputName(outputName(profile, target)), { profile, target })
  }
})

test('firmware for the Pi is on the Pi alone', (t) => {
  const forPi = ['firmware-brcm80211', 'raspi-firmware']
  for (const target of targetNames) {
    const found = basePackagesOf({ suite: 'trixie', target }).filter((name) => forPi.includes(name))
    t.deepEqual(found, target === 'rpi-arm64' ? forPi : [], target)
  }
})

test('each target has the kernel of its architecture, and what starts it', (t) => {
  for (const [name, { architecture, firmware, stages }] of Object.entries(targets)) {
    t.is(kernelPackageOf(architecture), `linux-image-${architecture}`, name)
    t.is(stages.includes('uefi'), firmware === 'uefi', name)
  }
})
