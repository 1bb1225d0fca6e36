import { formatBytes, formatDuration } from '../../builder/core/size.ts'
import { type Row, ratioOf } from './result.ts'

export const formatValue = (value: number, unit: Row['unit']): string =>
  unit === 'ms' ? formatDuration(value) : formatBytes(value)

export const formatRatio = (row: Row): string => {
  const ratio = ratioOf(row)
  if (ratio === undefined) return ''
  return `${ratio >= 9.95 ? ratio.toFixed(0) : ratio.toFixed(1)}×`
}

export const escapeXml = (text: string): string => text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`)
