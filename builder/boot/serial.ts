/** Text as a plain terminal would leave it: without escape sequences, carriage returns and other control characters. */
export const plainText = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
    .replace(/\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])/g, '')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
    .replace(/[\x00-\x08\x0b-\x1f\x7f]/g, '')

const fatalLines: readonly { pattern: RegExp; means: string }[] = [
  { pattern: /Kernel panic - not syncing/, means: 'the kernel panicked' },
  { pattern: /You are in (?:emergency|rescue) mode/, means: 'the system went into emergency mode' },
  { pattern: /Give root password for maintenance/, means: 'the system went into emergency mode' },
  {
    pattern: /Cannot open access to console, the root account is locked/,
    means: 'the system went into emergency mode',
  },
  { pattern: /Reached target .*(?:emergency\.target|Emergency Mode)/, means: 'the system went into emergency mode' },
  { pattern: /ALERT!.*does not exist/, means: 'the initramfs did not find the root file system' },
  { pattern: /^\(initramfs\)/, means: 'the initramfs stopped at its shell' },
  { pattern: /systemd\[1\]: Freezing execution|Freezing execution\.$/, means: 'systemd stopped' },
]

/** What a line of the serial console says about the end of a boot, or undefined for any other line. */
export const fatalMeaning = (line: string): string | undefined =>
  fatalLines.find(({ pattern }) => pattern.test(line))?.means

/** Cuts a serial console into plain lines and keeps the last of them. */
export interface SerialLog {
  write(bytes: Uint8Array): void
  tail(): string[]
}

/**
 * A serial log which keeps `keepLines` lines (500 by default). `onLine` is called for each completed line, `onFatal`
 * once, with the meaning of the first line that ends a boot.
 */
export const createSerialLog = (options: {
  onLine: (line: string) => void
  onFatal: (meaning: string) => void
  keepLines?: number
}): SerialLog => {
  const { onLine, onFatal, keepLines = 500 } = options
  const decoder = new TextDecoder()
  const lines: string[] = []
  let rest = ''
  let isFatal = false
  const judge = (line: string): void => {
    const meaning = isFatal ? undefined : fatalMeaning(line)
    if (meaning === undefined) return
    isFatal = true
    onFatal(meaning)
  }
  return {
    write: (bytes) => {
      const parts = (rest + decoder.decode(bytes, { stream: true })).split('\n')
      rest = (parts.pop() ?? '').slice(-4096)
      for (const part of parts) {
        const line = plainText(part).trimEnd()
        if (line === '') continue
        lines.push(line)
        onLine(line)
        judge(line)
      }
      lines.splice(0, Math.max(0, lines.length - keepLines))
      // A prompt has no line end, and nothing follows it.
      judge(plainText(rest))
    },
    tail: () => [...lines, ...(plainText(rest).trim() === '' ? [] : [plainText(rest)])],
  }
}
