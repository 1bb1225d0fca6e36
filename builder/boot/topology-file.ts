import { errnoOf, PibakeError } from '../core/error.ts'
import { type Issue, throwIssues } from '../profile/issue.ts'
import { topologyFileSchema } from '../profile/schema.ts'
import { issueAt, readSource, type Source } from '../profile/source.ts'
import { validate } from '../profile/validate.ts'
import { mostNodes, type Topology, topologyOf, unreachedNodes } from './topology.ts'

const findIssues = (topology: Topology, source: Source): Issue[] => {
  const twice = topology.segments.flatMap((segment, index) =>
    segment.flatMap((node, place) =>
      segment.indexOf(node) === place
        ? []
        : [issueAt(source, ['links', index, place], `\`${node}\` is on this link a second time`)],
    ),
  )
  const apart = unreachedNodes(topology).map((node) => {
    const index = topology.segments.findIndex((segment) => segment.includes(node))
    return issueAt(source, ['links', index], `no chain of links joins \`${node}\` with \`${topology.nodes[0]}\``)
  })
  const tooMany =
    topology.nodes.length > mostNodes
      ? [issueAt(source, ['links'], `${topology.nodes.length} nodes are too many: at most ${mostNodes}`)]
      : []
  return [...twice, ...apart, ...tooMany]
}

/**
 * Read a topology from a YAML file with `links`, a list of lists of node names. Throws `CONFIG_INVALID` with the place of
 * each mistake, and `USAGE` when the file cannot be read.
 */
export const readTopology = async (path: string): Promise<Topology> => {
  const { source, issues } = await readSource(path, path).catch((cause: unknown) => {
    throw new PibakeError('USAGE', `The topology \`${path}\` cannot be read (${errnoOf(cause) ?? String(cause)}).`, {
      hint: 'Name `full`, `line`, `ring`, or a YAML file with `links`.',
      cause,
    })
  })
  throwIssues(issues)
  const { value, issues: mistakes } = validate(topologyFileSchema, source)
  throwIssues(mistakes)
  if (value === undefined) throw new Error('a topology without a value and without an issue')
  const topology = topologyOf(value.links)
  throwIssues(findIssues(topology, source))
  return topology
}
