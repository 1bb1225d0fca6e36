export interface Box {
  x: number
  y: number
  width: number
  height: number
}

/** The worst ratio of sides among cells of these areas that share a strip of this length. */
const worstRatio = (areas: readonly number[], length: number): number => {
  const sum = areas.reduce((total, area) => total + area, 0)
  const [largest, smallest] = [Math.max(...areas), Math.min(...areas)]
  return Math.max((length ** 2 * largest) / sum ** 2, sum ** 2 / (length ** 2 * smallest))
}

/** Cells of one strip along the shorter side of `box`, and what is left of it. */
const layStrip = (areas: readonly number[], box: Box): { cells: Box[]; rest: Box } => {
  const sum = areas.reduce((total, area) => total + area, 0)
  const isWide = box.width >= box.height
  const length = isWide ? box.height : box.width
  const thickness = sum / length
  let at = 0
  const cells = areas.map((area): Box => {
    const side = area / thickness
    const cell = isWide
      ? { x: box.x, y: box.y + at, width: thickness, height: side }
      : { x: box.x + at, y: box.y, width: side, height: thickness }
    at += side
    return cell
  })
  const rest = isWide
    ? { ...box, x: box.x + thickness, width: box.width - thickness }
    : { ...box, y: box.y + thickness, height: box.height - thickness }
  return { cells, rest }
}

/**
 * Divide a box among values in proportion, in cells as square as can be: Bruls, Huizing and van Wijk, "Squarified
 * Treemaps" (2000). Values are above 0 and sorted, largest first; the cells come in their order.
 */
export const squarify = (values: readonly number[], box: Box): Box[] => {
  const total = values.reduce((sum, value) => sum + value, 0)
  const scale = (box.width * box.height) / total
  const cells: Box[] = []
  let rest = box
  let strip: number[] = []
  const close = (): void => {
    const laid = layStrip(strip, rest)
    cells.push(...laid.cells)
    rest = laid.rest
    strip = []
  }
  for (const value of values) {
    const area = value * scale
    const length = Math.min(rest.width, rest.height)
    if (strip.length > 0 && worstRatio([...strip, area], length) > worstRatio(strip, length)) close()
    strip.push(area)
  }
  if (strip.length > 0) close()
  return cells
}
