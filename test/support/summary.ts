import { createInterface } from 'node:readline'
import { createTapSummary } from './tap-summary.ts'

// Reads what `ava --tap` prints, shows a sign of life and every failure, and ends with the line of totals.
const summary = createTapSummary({
  say: (text) => process.stdout.write(`${text}\n`),
  verbose: process.env.CI !== undefined || !process.stdout.isTTY,
  status: (text) => process.stdout.isTTY && process.stdout.write(`\r\u001b[K${text}`),
})
for await (const line of createInterface({ input: process.stdin })) summary.line(line)
process.exitCode = summary.end() ? 0 : 1
