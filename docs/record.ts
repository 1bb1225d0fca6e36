/**
 * Records `./pibake --profile pub` in a terminal and draws docs/terminal.svg from what was on the screen.
 *
 *   node docs/record.ts                 record in this checkout (root, tmux), then draw
 *   node docs/record.ts --again         draw once more from the last recording
 *
 * Record in a fresh clone, so that there is something to bake. The SVG plays the screens one after the other where
 * animation is shown, and is the last screen everywhere else.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const checkout = join(import.meta.dirname, '..')
const recording = join(checkout, '.pibake', 'recording.json')
const picture = join(import.meta.dirname, 'terminal.svg')
const command = './pibake --profile pub'
const columns = 92
const rows = 22

/** A screen as `tmux capture-pane -e` gives it, and when it was taken. */
interface Screen {
  atMs: number
  text: string
}

const record = async (): Promise<Screen[]> => {
  const socket = `pibake-record-${process.pid}`
  const tmux = (...args: string[]): string => execFileSync('tmux', ['-L', socket, ...args], { encoding: 'utf8' })
  const shell = ['env', 'LANG=C.UTF-8', 'PS1=# ', 'sh']
  tmux('-f', '/dev/null', 'new-session', '-d', '-x', `${columns}`, '-y', `${rows}`, '-c', checkout, ...shell)
  try {
    tmux('set', '-g', 'status', 'off')
    tmux('send-keys', 'export TERM=screen-256color; clear', 'Enter')
    await sleep(1000)
    tmux('send-keys', command, 'Enter')
    const startedAt = performance.now()
    const screens: Screen[] = []
    for (;;) {
      await sleep(500)
      const text = tmux('capture-pane', '-e', '-p')
      if (text !== screens.at(-1)?.text) screens.push({ atMs: performance.now() - startedAt, text })
      // The prompt is back when pibake is done.
      if (/^# *$/m.test(plain(text)) && screens.length > 1) return screens
    }
  } finally {
    tmux('kill-server')
  }
}

/** A run of characters in one style; `color` is an index of `palette`. */
interface Run {
  text: string
  color: number | undefined
  bold: boolean
  dim: boolean
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const escapes = /\x1b\[([\d;]*)m|\x1b[()][A-Z0-9]|[\x0e\x0f]/g

const plain = (text: string): string => text.replace(escapes, '')

/** The lines of a screen cut into runs; understands the select-graphic-rendition sequences that pibake prints. */
const parseScreen = (text: string): Run[][] => {
  let style: Omit<Run, 'text'> = { color: undefined, bold: false, dim: false }
  const change = (code: number): void => {
    if (code === 0) style = { color: undefined, bold: false, dim: false }
    else if (code === 1) style = { ...style, bold: true }
    else if (code === 2) style = { ...style, dim: true }
    else if (code === 22) style = { ...style, bold: false, dim: false }
    else if (code === 39) style = { ...style, color: undefined }
    else if (code >= 30 && code <= 37) style = { ...style, color: code - 30 }
    else if (code >= 90 && code <= 97) style = { ...style, color: code - 82 }
  }
  return text.split('\n').map((line) => {
    const runs: Run[] = []
    let end = 0
    for (const match of line.matchAll(escapes)) {
      if (match.index > end) runs.push({ ...style, text: line.slice(end, match.index) })
      end = match.index + match[0].length
      for (const code of (match[1] ?? '').split(';')) if (match[0].startsWith('\x1b[')) change(Number(code))
    }
    if (end < line.length) runs.push({ ...style, text: line.slice(end) })
    return runs
  })
}

const palette =
  '#45475a #f38ba8 #a6e3a1 #f9e2af #89b4fa #cba6f7 #94e2d5 #bac2de #6c7086 #f38ba8 #a6e3a1 #f9e2af #89b4fa #cba6f7 #94e2d5 #ffffff'.split(
    ' ',
  )
const letterWidth = 8.43
const lineHeight = 19
const barHeight = 36
const padding = 16

const escapeXml = (text: string): string => text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`)

/** One line; each run is put at its own column, whatever the width of the reader's font. */
const drawLine = (runs: readonly Run[], row: number): string => {
  let column = 0
  const parts = runs.flatMap(({ text, color, bold, dim }) => {
    const at = column
    column += [...text].length
    const shown = text.trimEnd()
    if (shown.trim() === '') return []
    const lead = shown.length - shown.trimStart().length
    const length = [...shown.trimStart()].length
    const x = (padding + (at + lead) * letterWidth).toFixed(1)
    const style = [
      ...(color === undefined ? [] : [`fill="${palette[color] ?? ''}"`]),
      ...(bold ? ['font-weight="bold"'] : []),
      ...(dim ? ['fill-opacity="0.6"'] : []),
    ].join(' ')
    const fit = `textLength="${(length * letterWidth).toFixed(1)}" lengthAdjust="spacingAndGlyphs"`
    return [`<tspan x="${x}" ${fit} ${style}>${escapeXml(shown.trimStart())}</tspan>`]
  })
  const y = barHeight + padding + row * lineHeight
  return parts.length === 0 ? '' : `<text y="${y}">${parts.join('')}</text>`
}

const drawScreen = (text: string): string =>
  parseScreen(text)
    .map((runs, row) => drawLine(runs, row))
    .filter((line) => line !== '')
    .join('\n')

const shownScreens = 24
const secondsAScreen = 0.7
const secondsAtTheEnd = 8

/** Some of the screens, evenly over the time of the recording, the last one among them. */
const pickScreens = (screens: readonly Screen[]): Screen[] => {
  const endMs = screens.at(-1)?.atMs ?? 0
  const picked = new Set<Screen>()
  for (let index = 0; index < shownScreens; index += 1) {
    const until = (endMs * index) / (shownScreens - 1)
    const screen = screens.findLast(({ atMs }) => atMs <= until + 1) ?? screens[0]
    if (screen) picked.add(screen)
  }
  return [...picked]
}

/** Keyframes that show each screen in its turn; without animation only the last is seen. */
const animate = (count: number): string => {
  const totalSeconds = (count - 1) * secondsAScreen + secondsAtTheEnd
  const percent = (index: number): string => `${((index * secondsAScreen * 100) / totalSeconds).toFixed(2)}%`
  const frames = Array.from({ length: count }, (_, index) => {
    const shown =
      index === count - 1
        ? `0%{opacity:0}${percent(index)}{opacity:1}to{opacity:1}`
        : index === 0
          ? `0%{opacity:1}${percent(1)}{opacity:0}to{opacity:0}`
          : `0%{opacity:0}${percent(index)}{opacity:1}${percent(index + 1)}{opacity:0}to{opacity:0}`
    return `@keyframes s${index}{${shown}}#s${index}{animation:s${index} ${totalSeconds.toFixed(1)}s step-end infinite}`
  })
  return `.s{opacity:0}.last{opacity:1}\n@media (prefers-reduced-motion:no-preference){\n${frames.join('\n')}\n}`
}

/** How many rows of the terminal any of the screens fills. */
const usedRows = (screens: readonly Screen[]): number =>
  Math.max(...screens.map(({ text }) => plain(text).trimEnd().split('\n').length))

const drawPicture = (screens: readonly Screen[]): string => {
  const width = Math.ceil(columns * letterWidth + 2 * padding)
  const height = barHeight + padding + usedRows(screens) * lineHeight + 4
  const groups = screens.map(
    ({ text }, index) =>
      `<g id="s${index}" class="s${index === screens.length - 1 ? ' last' : ''}">\n${drawScreen(text)}\n</g>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="A terminal in which ${command} bakes an image">
<style>text{font:14px 'DejaVu Sans Mono',Menlo,Consolas,'Liberation Mono',monospace;fill:#cdd6f4;white-space:pre}
${animate(screens.length)}</style>
<rect width="${width}" height="${height}" rx="9" fill="#1e1e2e"/>
<path d="M0 ${barHeight - 6}V9a9 9 0 0 1 9-9h${width - 18}a9 9 0 0 1 9 9v${barHeight - 15}z" fill="#313244"/>
<circle cx="20" cy="15" r="6" fill="#f38ba8"/><circle cx="40" cy="15" r="6" fill="#f9e2af"/><circle cx="60" cy="15" r="6" fill="#a6e3a1"/>
${groups.join('\n')}
</svg>
`
}

/** The picture is public: it may name neither this machine nor a place on it. */
const assertPublic = (svg: string): void => {
  for (const secret of [checkout, dirname(checkout), hostname()]) {
    if (secret.length > 1 && svg.includes(secret)) throw new Error(`the picture names \`${secret}\``)
  }
}

if (!process.argv.includes('--again')) {
  mkdirSync(dirname(recording), { recursive: true })
  writeFileSync(recording, JSON.stringify(await record()))
}
const svg = drawPicture(pickScreens(JSON.parse(readFileSync(recording, 'utf8')) as Screen[]))
assertPublic(svg)
writeFileSync(picture, svg)
