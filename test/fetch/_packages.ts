import { hashBytes } from '../../builder/core/digest.ts'
import { formatStanzas } from '../../builder/deb/deb822.ts'

/** The text of a Packages index; each package needs only what the test is about. */
export const packagesText = (packages: readonly Readonly<Record<string, string>>[]): string =>
  formatStanzas(
    packages.map(({ Package = '', Version = '1', ...rest }) => ({
      Package,
      Version,
      Architecture: 'arm64',
      Filename: `pool/main/${Package}_${Version}_arm64.deb`,
      Size: '10',
      SHA256: hashBytes(`${Package} ${Version}`),
      ...rest,
    })),
  )
