import { packageNameOf } from '../deb/stage-control.ts'
import { type Bill, billId, type Component } from './components.ts'

const typeOf = ({ kind }: Component): string =>
  kind === 'base image' ? 'operating-system' : kind === 'artifact' ? 'file' : kind === 'npm' ? 'library' : 'application'

/** Licences of CycloneDX are one expression, or names; a name says where to look when there is no expression. */
const licencesOf = ({ licence: { expression, comment } }: Component): object[] =>
  expression === undefined ? [{ license: { name: comment ?? 'not known' } }] : [{ expression }]

const property = (name: string, value: string): object => ({ name: `pibake:${name}`, value })

const describe = (component: Component): object => {
  const { name, version, purl, kind, sha256, sha512, places, paths = [] } = component
  // The scope of an npm package has a field of its own.
  const [, group, own = name] = kind === 'npm' ? (/^(@[^/]+)\/(.+)$/.exec(name) ?? []) : []
  const hashes = [
    ...(sha256 === undefined ? [] : [{ alg: 'SHA-256', content: sha256 }]),
    ...(sha512 === undefined ? [] : [{ alg: 'SHA-512', content: sha512 }]),
  ]
  return {
    type: typeOf(component),
    'bom-ref': purl,
    ...(group === undefined ? {} : { group }),
    name: own,
    ...(version === '' ? {} : { version }),
    ...(hashes.length === 0 ? {} : { hashes }),
    licenses: licencesOf(component),
    purl,
    properties: [...places.map((place) => property('step', place)), ...paths.map((path) => property('path', path))],
  }
}

/** What depends on what: the image on its base and its stages, each of these on what its step brings. */
const relate = ({ profile, components }: Bill, imageRef: string): object[] => {
  const stages = components.filter(({ kind }) => kind === 'stage')
  const broughtBy = (step: string): string[] =>
    components.filter(({ kind, places }) => kind !== 'stage' && places.includes(step)).map(({ purl }) => purl)
  const refOf = (stage: string): string[] =>
    stages.filter(({ name }) => name === packageNameOf(stage)).map(({ purl }) => purl)
  const top = [...stages.map(({ purl }) => purl), ...broughtBy('base'), ...broughtBy('mirror')]
  return [
    { ref: imageRef, dependsOn: [...new Set(top)].sort() },
    ...profile.stages.flatMap(({ stage }) =>
      refOf(stage.name).map((ref) => ({
        ref,
        dependsOn: [...new Set([...stage.needs.flatMap(refOf), ...broughtBy(stage.name)])].sort(),
      })),
    ),
  ]
}

/**
 * A bill of materials as CycloneDX 1.6 JSON (ECMA-424): the same bytes for the same lock, with the lock's time as its
 * time and a serial number made from its content.
 */
export const renderCycloneDx = (bill: Bill): string => {
  const { profile, lock, components, pibake } = bill
  const imageRef = `image:${profile.output}`
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${billId(bill)}`,
    version: 1,
    metadata: {
      timestamp: lock.time,
      tools: { components: [{ type: 'application', name: 'pibake', version: pibake }] },
      component: {
        type: 'operating-system',
        'bom-ref': imageRef,
        name: profile.output,
        description: profile.summary,
        properties: [property('suite', lock.suite), property('architecture', lock.architecture)],
      },
    },
    components: components.map(describe),
    dependencies: relate(bill, imageRef),
  }
  return `${JSON.stringify(document, null, 1)}\n`
}
