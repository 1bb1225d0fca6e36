import { PibakeError } from '../core/error.ts'

/** The files of the boot partition that start an image. */
export interface BootFileNames {
  kernel: string
  initramfs: string | undefined
  cmdline: string
}

interface Selection {
  values: Map<string, string>
  initramfs: string | undefined
}

const readSections = (config: string, models: ReadonlySet<string>): Selection => {
  const selection: Selection = { values: new Map(), initramfs: undefined }
  let applies = true
  for (const raw of config.split('\n')) {
    const line = raw.replace(/#.*/, '').trim()
    const section = /^\[(.+)\]$/.exec(line)?.[1]
    if (section !== undefined) applies = section === 'all' || models.has(section)
    if (!applies || section !== undefined) continue
    const initramfs = /^initramfs\s+(\S+)/.exec(line)?.[1]
    if (initramfs !== undefined) selection.initramfs = initramfs
    const [, key, value] = /^(\w+)\s*=\s*(.*)$/.exec(line) ?? []
    if (key !== undefined && value !== undefined) selection.values.set(key, value)
  }
  return selection
}

/** Newest by the version in its name, as the firmware packages number them. */
const newest = (files: readonly string[], prefix: string): string | undefined =>
  files
    .filter((file) => file.startsWith(prefix))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .at(-1)

/**
 * Which files the Pi's firmware would load, from `config.txt` and the listing of the boot partition. `models` names the
 * conditional sections that apply besides `[all]`, such as `pi3`. Keys and sections as in the Raspberry Pi
 * documentation, "config.txt". Throws `IMAGE_INVALID` when there is no kernel.
 */
export const selectBootFiles = (
  config: string,
  files: readonly string[],
  models: ReadonlySet<string>,
): BootFileNames => {
  const { values, initramfs } = readSections(config, models)
  const named = values.get('kernel')
  const kernel = named ?? newest(files, 'vmlinuz') ?? (files.includes('kernel8.img') ? 'kernel8.img' : undefined)
  if (kernel === undefined || !files.includes(kernel)) {
    throw new PibakeError('IMAGE_INVALID', `The boot partition has no kernel${named ? ` \`${named}\`` : ''}.`, {
      hint: 'Bake the image again: its kernel package should have put one there.',
      details: files.slice(0, 20),
    })
  }
  const automatic =
    values.get('auto_initramfs') === '1' && kernel.startsWith('kernel')
      ? kernel.replace('kernel', 'initramfs').replace(/\.img$/, '')
      : undefined
  const version = kernel.replace(/^vmlinuz/, '')
  const candidates = [initramfs, automatic, `initrd.img${version}`]
  return {
    kernel,
    initramfs: candidates.find((name) => name !== undefined && files.includes(name)),
    cmdline: values.get('cmdline') ?? 'cmdline.txt',
  }
}
