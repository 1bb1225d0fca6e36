/**
 * How commands are put to a root shell at the far end of a terminal line. A marker is sent in two halves with a
 * backslash between them, so that the terminal's echo of a command never looks like its reply. Lines stay well below
 * the 4096 bytes that a terminal takes at once (n_tty of Linux), so payloads travel as base64 in pieces.
 */

/** Characters of base64 per line. */
const pieceLength = 3000

/** The longest single argument that Linux takes (MAX_ARG_STRLEN), less a margin. */
export const longestCommand = 120_000

const splitMarker = (name: string, nonce: string): string => `@@${name}\\${nonce}`

/** One line that runs `command` (a line of sh) between the markers of `nonce`. */
export const wrapLine = (command: string, nonce: string): string =>
  `echo ${splitMarker('begin', nonce)}@@; ${command}; s=$?; echo; echo ${splitMarker('end', nonce)}=$s@@\n`

export interface Reply {
  output: Buffer
  exitCode: number
  /** What arrived after the reply. */
  rest: Buffer
}

/** The reply to the line with `nonce` in what arrived so far, or undefined while it is incomplete. */
export const takeReply = (received: Buffer, nonce: string): Reply | undefined => {
  const endMarker = `@@end${nonce}=`
  const end = received.indexOf(endMarker)
  if (end < 0) return undefined
  const [, digits] =
    /^(\d+)@@/.exec(received.subarray(end + endMarker.length, end + endMarker.length + 8).toString()) ?? []
  if (digits === undefined) return undefined
  const beginMarker = `@@begin${nonce}@@`
  const begin = received.lastIndexOf(beginMarker, end)
  const from = begin < 0 ? 0 : skipLineEnd(received, begin + beginMarker.length)
  const to = dropLineEnd(received, end)
  const after = received.indexOf('@@', end + endMarker.length) + 2
  return {
    output: received.subarray(from, Math.max(from, to)),
    exitCode: Number(digits),
    rest: received.subarray(skipLineEnd(received, after)),
  }
}

const carriageReturn = 13
const lineFeed = 10

const skipLineEnd = (bytes: Buffer, at: number): number => {
  let next = at
  while (bytes[next] === carriageReturn) next += 1
  return bytes[next] === lineFeed ? next + 1 : next
}

const dropLineEnd = (bytes: Buffer, at: number): number => {
  let end = bytes[at - 1] === lineFeed ? at - 1 : at
  while (bytes[end - 1] === carriageReturn) end -= 1
  return end
}

/** Base64 of `bytes` in pieces that each fit on a line. */
export const toPieces = (bytes: Uint8Array): string[] =>
  Buffer.from(bytes)
    .toString('base64')
    .match(new RegExp(`.{1,${pieceLength}}`, 'g')) ?? []

/** A word for sh, in single quotes. */
export const quoteWord = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`

/** A line that runs what the pieces in the shell variable `p` spell, ended after `seconds` with status 124. */
export const runPieces = (seconds: number): string =>
  `timeout -k 5 ${Math.max(1, Math.ceil(seconds))} sh -c "$(printf %s "$p" | base64 -d)" 2>&1 </dev/null`
