import test from 'ava'
import { parseSettings } from '../../builder/card/image-takes.ts'
import { renderSettings } from '../../builder/deb/stage-control.ts'

test('settings are read as the stage package writes them', (t) => {
  const values = {
    plain: 'a b',
    'with-quote': `It's "$HOME" \\ \`x\``,
    empty: '',
    number: 6,
    yes: true,
    list: ['a*', 'b'],
  }
  const settings = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, { description: `KEY='of the comment'`, default: value }]),
  )
  t.deepEqual(
    [...parseSettings(renderSettings({ name: 'x', settings }, values))],
    [
      ['plain', 'a b'],
      ['with-quote', `It's "$HOME" \\ \`x\``],
      ['empty', ''],
      ['number', '6'],
      ['yes', 'true'],
      ['list', 'a* b'],
    ],
  )
})
