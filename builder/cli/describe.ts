import type { Paint } from '../report/style.ts'

/** A heading with indented lines; nothing when there are none. */
export const section = (title: string, lines: readonly string[], paint: Paint): string[] =>
  lines.length === 0 ? [] : ['', paint('bold', title), ...lines.map((line) => `  ${line}`)]

/** A setting's value as YAML would have it. */
export const formatSetting = (value: string | number | boolean | readonly string[]): string => JSON.stringify(value)
