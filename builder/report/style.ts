import { stripVTControlCharacters, styleText } from 'node:util'

type Format = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

/** Colours a text, or leaves it as it is. */
export type Paint = (format: Format, text: string) => string

export const colourful: Paint = (format, text) => styleText(format, text, { validateStream: false })
export const plainly: Paint = (_format, text) => text

/** A line of a command's output, made safe for a terminal: no escapes, no carriage returns, no tabs. */
export const cleanLine = (line: string): string =>
  stripVTControlCharacters(line.slice(line.trimEnd().lastIndexOf('\r') + 1))
    .replaceAll('\t', '  ')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to go
    .replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '')
    .trimEnd()

/** Cut a text without escapes to `width` columns, the last one an ellipsis. */
export const truncate = (text: string, width: number): string => {
  const points = [...text]
  if (points.length <= width) return text
  return width <= 0 ? '' : `${points.slice(0, width - 1).join('')}…`
}
