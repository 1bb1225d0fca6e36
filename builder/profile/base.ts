import { basename, isAbsolute, relative, resolve } from 'node:path'

/** An image that a bake starts from, as a profile or `--base` names it. */
export type ImageBase =
  /** A file of this machine, compressed or not. */
  | { kind: 'image'; from: 'file'; name: string; path: string }
  /** An address, which is its name. */
  | { kind: 'image'; from: 'address'; name: string }
  /** A name in the catalogue of images, perhaps with a date: `raspios-lite-arm64@2025-05-13`. */
  | { kind: 'image'; from: 'catalogue'; name: string; release: string | undefined }

/** What a bake starts from. */
export type Base = { kind: 'debian' } | ImageBase

const imageFile = '\\S.*\\.(?:img(?:\\.(?:xz|gz|zst))?|zip)'
const catalogueName = '[a-z0-9][a-z0-9.-]*(?:@\\d{4}-\\d{2}-\\d{2})?'

/** What may stand for a base. */
export const basePattern = new RegExp(`^(?:debian|https?://\\S+|${imageFile}|${catalogueName})$`)

/**
 * Understand what stands for a base, which `basePattern` matches. A file is relative to `folder`; its name, which ends in
 * the lock, is relative to `checkout` where it lies inside.
 */
export const readBase = (text: string, { folder, checkout }: { folder: string; checkout: string }): Base => {
  if (text === 'debian') return { kind: 'debian' }
  if (/^https?:/.test(text)) return { kind: 'image', from: 'address', name: text }
  if (new RegExp(`^${imageFile}$`).test(text)) {
    const path = resolve(folder, text)
    const inside = relative(checkout, path)
    const isInside = !inside.startsWith('..') && !isAbsolute(inside)
    return { kind: 'image', from: 'file', name: isInside ? inside : basename(path), path }
  }
  return { kind: 'image', from: 'catalogue', name: text, release: text.split('@')[1] }
}

/** The processor that a base's name speaks of, as those of Raspberry Pi OS do: `raspios-lite-armhf`. */
export const architectureIn = (base: Base): 'arm64' | 'armhf' | undefined =>
  base.kind === 'debian'
    ? undefined
    : (['arm64', 'armhf'] as const).find((name) => new RegExp(`(?<![a-z0-9])${name}(?![a-z0-9])`).test(base.name))

/** A short name of a base for files that are made upon it: `raspios-lite-arm64`, `2025-05-13-raspios-trixie-lite`. */
export const baseSlug = (base: Base): string =>
  base.kind === 'debian'
    ? 'debian'
    : basename(base.name)
        .toLowerCase()
        .replace(/\.(?:img(?:\.(?:xz|gz|zst))?|zip)$/, '')
        .replace(/[^a-z0-9]+/g, '-')
        .replace(/^-|-$/g, '')
