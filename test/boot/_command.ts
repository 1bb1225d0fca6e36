import { join } from 'node:path'
import { type Subprocess, spawnCommand } from '../../builder/host/command.ts'
import { checkout } from '../support/tools.ts'

/** `./pibake` of this checkout, started with its standard input open. */
export interface StartedPibake {
  process: Subprocess
  /** What it has printed so far. */
  printed(): { stdout: string; stderr: string }
  ended: Promise<{ exitCode: number | undefined; stdout: string; stderr: string }>
}

export const spawnPibake = (args: readonly string[]): StartedPibake => {
  const env = Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value ? [[name, value]] : [])))
  const subprocess = spawnCommand([join(checkout, 'pibake'), ...args], { env })
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    subprocess[name].on('data', (chunk: Buffer) => {
      text[name] += chunk.toString()
    })
  }
  return {
    process: subprocess,
    printed: () => ({ ...text }),
    ended: (async () => {
      const { exitCode } = await subprocess
      return { exitCode, ...text }
    })(),
  }
}
