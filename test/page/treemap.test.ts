import test from 'ava'
import { type Box, squarify } from '../../builder/page/treemap.ts'
import { colours } from '../../builder/page/treemap-svg.ts'

const box: Box = { x: 10, y: 20, width: 600, height: 400 }

const overlap = (a: Box, b: Box): number =>
  Math.max(0, Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)) *
  Math.max(0, Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y))

test('the example of the paper', (t) => {
  const cells = squarify([6, 6, 4, 3, 2, 2, 1], { x: 0, y: 0, width: 6, height: 4 })
  const rounded = cells.map(({ x, y, width, height }) =>
    [x, y, width, height].map((side) => Math.round(side * 100) / 100),
  )
  t.deepEqual(rounded.slice(0, 4), [
    [0, 0, 3, 2],
    [0, 2, 3, 2],
    [3, 0, 1.71, 2.33],
    [4.71, 0, 1.29, 2.33],
  ])
})

for (const values of [
  [1],
  [5, 5],
  [1000, 1, 1, 1],
  Array.from({ length: 200 }, (_, index) => 2 ** (20 - index / 10)),
]) {
  test(`${values.length} cells fill the box in proportion, and none lies on another`, (t) => {
    const cells = squarify(values, box)
    const scale = (box.width * box.height) / values.reduce((sum, value) => sum + value, 0)
    t.is(cells.length, values.length)
    for (const [index, cell] of cells.entries()) {
      const wanted = (values[index] ?? 0) * scale
      t.true(Math.abs(cell.width * cell.height - wanted) < wanted * 1e-6)
      t.true(cell.x >= box.x - 1e-6 && cell.x + cell.width <= box.x + box.width + 1e-6)
      t.true(cell.y >= box.y - 1e-6 && cell.y + cell.height <= box.y + box.height + 1e-6)
      for (const other of cells.slice(index + 1)) t.true(overlap(cell, other) < 1e-3)
    }
  })
}

test('nothing needs no cells', (t) => t.deepEqual(squarify([], box), []))

/** Relative luminance and contrast of WCAG 2.2. */
const luminance = (colour: string): number =>
  [1, 3, 5]
    .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * ([0.2126, 0.7152, 0.0722][index] ?? 0), 0)

test('white text is legible on every colour of the map', (t) => {
  for (const colour of colours) t.true(1.05 / (luminance(colour) + 0.05) >= 4.5, colour)
})
