import { createRequire } from 'node:module'

// Loaded before `ava --tap`. An error whose stack is one line has no place, and the YAML dumper that ava's reporter asks
// (by way of supertap) throws on the undefined `at`: ava ends there, and nothing of the tests that follow is reported.
// Leaving out what YAML cannot say is an option of that dumper.
const fromSupertap = createRequire(new URL('../../node_modules/supertap/package.json', import.meta.url))
const yaml: { safeDump(value: unknown, options?: { skipInvalid: boolean }): string } = fromSupertap('js-yaml')
const { safeDump } = yaml
yaml.safeDump = (value) => safeDump(value, { skipInvalid: true })
