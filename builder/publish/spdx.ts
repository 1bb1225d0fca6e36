import { hashBytes } from '../core/digest.ts'
import { type Bill, billId, type Component } from './components.ts'

const idOf = (purl: string): string => `SPDXRef-Package-${hashBytes(purl).slice(0, 16)}`

const checksumsOf = ({ sha256, sha512 }: Component): object[] => [
  ...(sha256 === undefined ? [] : [{ algorithm: 'SHA256', checksumValue: sha256 }]),
  ...(sha512 === undefined ? [] : [{ algorithm: 'SHA512', checksumValue: sha512 }]),
]

const describe = (component: Component): object => {
  const { kind, name, version, purl, licence, places } = component
  const checksums = checksumsOf(component)
  return {
    SPDXID: idOf(purl),
    name,
    ...(version === '' ? {} : { versionInfo: version }),
    ...(kind === 'debian' ? { supplier: 'Organization: Debian' } : {}),
    primaryPackagePurpose:
      kind === 'base image'
        ? 'OPERATING_SYSTEM'
        : kind === 'npm'
          ? 'LIBRARY'
          : kind === 'artifact'
            ? 'FILE'
            : 'APPLICATION',
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    ...(checksums.length === 0 ? {} : { checksums }),
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: licence.expression ?? 'NOASSERTION',
    ...(licence.comment === undefined ? {} : { licenseComments: licence.comment }),
    copyrightText: 'NOASSERTION',
    externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl }],
    comment: `brought by ${places.join(', ')}`,
  }
}

/** SPDX gives times whole seconds. */
const toSeconds = (time: string): string => time.replace(/\.\d+Z$/, 'Z')

/**
 * A bill of materials as SPDX 2.3 JSON (https://spdx.github.io/spdx-spec/v2.3/), with the texts of all licences that SPDX
 * has no identifier for: the same bytes for the same lock.
 */
export const renderSpdx = (bill: Bill): string => {
  const { profile, lock, components, pibake } = bill
  const refs = new Map(components.flatMap(({ licence }) => licence.refs.map((ref) => [ref.id, ref])))
  const image = 'SPDXRef-Image'
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: profile.output,
    documentNamespace: `urn:uuid:${billId(bill)}`,
    creationInfo: { created: toSeconds(lock.time), creators: [`Tool: pibake-${pibake}`] },
    packages: [
      {
        SPDXID: image,
        name: profile.output,
        summary: profile.summary,
        primaryPackagePurpose: 'OPERATING_SYSTEM',
        downloadLocation: 'NOASSERTION',
        filesAnalyzed: false,
        licenseConcluded: 'NOASSERTION',
        licenseDeclared: 'NOASSERTION',
        copyrightText: 'NOASSERTION',
      },
      ...components.map(describe),
    ],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: image },
      ...components.map(({ purl }) => ({
        spdxElementId: image,
        relationshipType: 'CONTAINS',
        relatedSpdxElement: idOf(purl),
      })),
    ],
    hasExtractedLicensingInfos: [...refs.values()]
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ id, name, text }) => ({ licenseId: id, name, extractedText: text })),
  }
  return `${JSON.stringify(document, null, 1)}\n`
}
