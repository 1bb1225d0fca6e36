'use strict'
const { html, languageOf, renderDocument } = require('/usr/lib/pibake/ssb-pub/document.cjs')

const MOST_POSTS = 40

/** What the page says, by language. */
const words = {
  en: { title: 'Messages', back: 'Front page', none: 'Nobody has written anything yet.', source: 'Source of these pages (AGPL)' },
  es: { title: 'Mensajes', back: 'Portada', none: 'Nadie ha escrito nada todavía.', source: 'Código fuente de estas páginas (AGPL)' },
  fr: { title: 'Messages', back: 'Page d’accueil', none: 'Personne n’a encore rien écrit.', source: 'Code source de ces pages (AGPL)' },
  pt: { title: 'Mensagens', back: 'Página inicial', none: 'Ainda ninguém escreveu nada.', source: 'Código-fonte destas páginas (AGPL)' },
}

/** A page with the newest public posts, each a link to its thread. */
exports.createIndex = (pub, base, pull) => (request, response) => {
  const language = languageOf(request, words)
  const say = words[language]
  pull(
    pub.messagesByType({ type: 'post', reverse: true, limit: MOST_POSTS }),
    pull.collect((error, messages) => {
      if (error) {
        response.writeHead(500)
        return response.end()
      }
      const items = messages.map(({ key, value }) => {
        const text = String(value.content.text ?? '').replaceAll(/\s+/g, ' ').trim()
        const shown = text.length > 160 ? `${text.slice(0, 160)}…` : text || '…'
        const thread = `${base}${encodeURIComponent(value.content.root ?? key)}`
        const author = `${base}${encodeURIComponent(value.author)}`
        const date = new Date(value.timestamp)
        const time = Number.isNaN(date.getTime()) ? '' : date.toISOString().slice(0, 10)
        return `<li>\n<p><a href="${thread}">${html(shown)}</a></p>\n<p class="note">${time} <a href="${author}">${html(value.author.slice(0, 10))}…</a></p>\n</li>`
      })
      response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-cache' })
      const body = items.length === 0 ? `<p>${say.none}</p>\n` : `<ul class="posts">\n${items.join('\n')}\n</ul>\n`
      const footer = `<footer><p><a href="${base}source/">${say.source}</a></p></footer>\n`
      response.end(renderDocument({ language, say, body, footer }))
    }),
  )
}
