'use strict'
// What the pages of the pub and of its front ends have in common: they look like the front page, and lead back to it.

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Text as it stands in HTML, also within an attribute. */
const html = (text) => String(text).replaceAll(/[&<>"]/g, (sign) => escapes[sign])

/** The language that the web server has chosen for a visitor, as far as `words` has it; else English. */
function languageOf(request, words) {
  const wanted = request.headers['x-language'] ?? ''
  return Object.hasOwn(words, wanted) ? wanted : 'en'
}

/** A whole page. `say` has the words `title` and `back`; `body` and `footer` are HTML. */
function renderDocument({ language, say, body, footer = '' }) {
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${say.title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/portal.css">
</head>
<body>
<header>
<nav aria-label="${say.back}"><ul><li><a href="/">${say.back}</a></li></ul></nav>
<div class="name"><h1>${say.title}</h1></div>
</header>
<main>
<section>
${body}</section>
</main>
${footer}</body>
</html>
`
}

module.exports = { html, languageOf, renderDocument }
