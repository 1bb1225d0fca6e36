'use strict'
const { load } = require('./tree.cjs')

/** The index for each kind of link; others are found by the types of message that carry them. */
const indexed = { about: 'about', branch: 'hasBranch', contact: 'contact', fork: 'hasFork', root: 'hasRoot', vote: 'votesFor' }
const carriers = {
  about: ['about'],
  contact: ['contact'],
  issue: ['issue-edit'],
  issues: ['git-update', 'issue-edit'],
  project: ['issue', 'pull-request'],
  repo: ['git-update'],
  vote: ['vote'],
}

/** Where a part of a message points to: an id, {link: id}, or a list of them. */
function destinationsOf(part) {
  if (Array.isArray(part)) return part.flatMap(destinationsOf)
  const link = typeof part === 'string' ? part : part?.link
  return typeof link === 'string' ? [link] : []
}

const isLinked = (message, rel, dest) => destinationsOf(message.value.content?.[rel]).includes(dest)

/**
 * Read-only questions that front ends for the classic database ask, answered by ssb-db2 from public messages alone: nothing
 * that somebody wrote to the pub in private comes out here. For processes of this node, over its own socket.
 */
exports.plugin = {
  name: 'reader',
  version: '1.0.0',
  manifest: { get: 'async', links: 'source', messages: 'source' },
  permissions: { master: { allow: ['get', 'links', 'messages'] } },
  init(ssb) {
    const operators = load('ssb-db2/operators')
    const { and, or, author, descending, isPublic, key, mentions, paginate, type, toPullStream, where } = operators
    const pull = load('pull-stream')

    const read = (condition, { reverse = false, limit = -1 } = {}) =>
      pull(
        ssb.db.query(
          where(condition === undefined ? isPublic() : and(condition, isPublic())),
          ...(reverse ? [descending()] : []),
          paginate(100),
          toPullStream(),
        ),
        pull.map(pull.values),
        pull.flatten(),
        limit >= 0 ? pull.take(limit) : pull.through(),
      )

    /** A message's value, as the classic `get` gives it. */
    const get = (id, cb) =>
      pull(
        read(key(typeof id === 'string' ? id : id?.id ?? id?.key), { limit: 1 }),
        pull.collect((error, [message] = []) => {
          if (error || message === undefined) return cb(error ?? new Error(`no public message ${String(id)} is here`))
          cb(null, message.value)
        }),
      )

    const ofTypes = (rel) => (Object.hasOwn(carriers, rel) ? carriers[rel].map((kind) => type(kind)) : [])

    const pointingTo = (rel, dest) => {
      if (rel === 'mentions') return [mentions(dest)]
      return Object.hasOwn(indexed, rel) ? [operators[indexed[rel]](dest)] : ofTypes(rel)
    }

    /** {key, value, source, rel, dest} of messages with links: `rel` is the kind of link and `dest` where to; one may be left out. */
    const links = ({ dest, rel, limit, reverse } = {}) => {
      const rels = rel === undefined ? [...Object.keys(indexed), 'mentions'] : [rel]
      const conditions = dest === undefined ? ofTypes(rel) : rels.flatMap((name) => pointingTo(name, dest))
      if (conditions.length === 0) return pull.empty()
      return pull(
        read(conditions.length === 1 ? conditions[0] : or(...conditions), { reverse }),
        pull.map((message) => ({
          ...message,
          source: message.value.author,
          rel,
          dest: dest ?? destinationsOf(message.value.content[rel])[0],
        })),
        pull.filter((link) => rel === undefined || (link.dest !== undefined && isLinked(link, rel, link.dest))),
        limit >= 0 ? pull.take(limit) : pull.through(),
      )
    }

    /** Messages by author, by type, or all. */
    const messages = (options = {}) => {
      const conditions = [
        ...(options.author === undefined ? [] : [author(options.author)]),
        ...(options.type === undefined ? [] : [type(options.type)]),
      ]
      return read(conditions.length > 1 ? and(...conditions) : conditions[0], options)
    }

    return { get, links, messages }
  },
}
