import { stripVTControlCharacters } from 'node:util'

/** Rows as aligned columns, two spaces between them; the last column is not padded. Cells may carry colours. */
export const renderTable = (rows: readonly (readonly string[])[]): string[] => {
  const widths: number[] = []
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, widthOf(cell))
  }
  return rows.map((row) =>
    row
      .map((cell, index) => (index === row.length - 1 ? cell : cell + ' '.repeat((widths[index] ?? 0) - widthOf(cell))))
      .join('  ')
      .trimEnd(),
  )
}

const widthOf = (cell: string): number => [...stripVTControlCharacters(cell)].length
