'use strict'
const { load } = require('./tree.cjs')

/** The index for each kind of link; others are found by the types of message that carry them. */
const indexed = { about: 'about', branch: 'hasBranch', contact: 'contact', fork: 'hasFork', root: 'hasRoot', vote: 'votesFor' }
const carriers = { repo: ['git-update'], project: ['issue', 'pull-request'], issue: ['issue-edit'], issues: ['git-update'] }

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

    /** {key, value, rel, dest} of messages that point to `dest`: by `rel`, or in any of the ways that are indexed. */
    const links = ({ dest, rel, limit, reverse } = {}) => {
      if (typeof dest !== 'string') return pull.error(new Error('links: a `dest` is needed'))
      const rels = rel === undefined ? Object.keys(indexed) : [rel]
      const conditions = rels.flatMap((name) => {
        if (Object.hasOwn(indexed, name)) return [operators[indexed[name]](dest)]
        if (name === 'mentions') return [mentions(dest)]
        return Object.hasOwn(carriers, name) ? carriers[name].map((kind) => type(kind)) : []
      })
      if (rel === undefined) conditions.push(mentions(dest))
      if (conditions.length === 0) return pull.empty()
      return pull(
        read(conditions.length === 1 ? conditions[0] : or(...conditions), { reverse }),
        pull.filter((message) => rel === undefined || isLinked(message, rel, dest)),
        limit >= 0 ? pull.take(limit) : pull.through(),
        pull.map((message) => ({ ...message, source: message.value.author, rel, dest })),
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
