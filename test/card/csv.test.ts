import test from 'ava'
import { parseCsv } from '../../builder/card/csv.ts'

const texts = (text: string): string[][] => parseCsv(text).rows.map((row) => row.map((cell) => cell.text))

const reads = test.macro((t, text: string, expected: readonly (readonly string[])[]) => {
  t.deepEqual(parseCsv(text).faults, [])
  t.deepEqual(texts(text), expected)
})

test('rows and cells', reads, 'a,b\n1,2\n', [
  ['a', 'b'],
  ['1', '2'],
])
test('lines of Windows, no line end at the end', reads, 'a,b\r\n1,2', [
  ['a', 'b'],
  ['1', '2'],
])
test('semicolons, as where a comma is decimal', reads, 'a;b\n1,5;2', [
  ['a', 'b'],
  ['1,5', '2'],
])
test('tabs', reads, 'a\tb\n1,5;x\t2', [
  ['a', 'b'],
  ['1,5;x', '2'],
])
test('one column', reads, 'a\n1\n', [['a'], ['1']])
test('quotes hold separators, quotes and line ends', reads, 'a,b\n"x, ""y""","two\r\nlines"', [
  ['a', 'b'],
  ['x, "y"', 'two\r\nlines'],
])
test('quotes within a cell are letters', reads, 'a,b\n5" disk,x"y"', [
  ['a', 'b'],
  ['5" disk', 'x"y"'],
])
test('spaces around a cell go, those in quotes stay', reads, 'a , b\n 1 ,  " 2 " ', [
  ['a', 'b'],
  ['1', ' 2 '],
])
test('empty cells stay, empty rows go', reads, 'a,b,c\n\n,,\n1,,3\n,2,\n   \n', [
  ['a', 'b', 'c'],
  ['1', '', '3'],
  ['', '2', ''],
])
test('a cell behind the last separator is one', reads, 'a,b\n1,\n', [
  ['a', 'b'],
  ['1', ''],
])
test('nothing', reads, '', [])

test('every cell knows its line and column, also behind lines within quotes', (t) => {
  const { rows } = parseCsv('a,b\n"x\ny",  z\n1,"2"')
  t.deepEqual(rows.slice(1), [
    [
      { text: 'x\ny', line: 2, column: 1 },
      { text: 'z', line: 3, column: 6 },
    ],
    [
      { text: '1', line: 4, column: 1 },
      { text: '2', line: 4, column: 3 },
    ],
  ])
})

const refuses = test.macro((t, text: string, line: number, column: number, message: string) => {
  t.deepEqual(parseCsv(text).faults, [{ line, column, message }])
})

test('quotes that never end', refuses, 'a,b\n1,"2\n3', 2, 3, 'the quotes that begin here never end')
test('text behind quotes', refuses, 'a,b\n"1"x,2', 2, 4, 'there is text behind the quotes of a cell')

test('whatever is written comes back', (t) => {
  const cells = ['', 'plain', 'a,b', 'a;b', '"', '""', 'line\nend', ' both ', '\t', 'é☃𝄞', "it's"]
  const quote = (cell: string): string => `"${cell.replaceAll('"', '""')}"`
  const table = cells.map((_, at) => [...cells.slice(at), ...cells.slice(0, at)])
  t.deepEqual(texts(table.map((row) => row.map(quote).join(',')).join('\r\n')), table)
})
