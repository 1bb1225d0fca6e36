'use strict'
const { createServer } = require('node:http')
const { html, languageOf, renderDocument } = require('./document.cjs')
const { createLimit, describeVisitor } = require('./limit.cjs')
const { isSameToken } = require('./token.cjs')
const words = require('./words.cjs')

const MOST_BYTES = 4096
const MOST_USES = 100

/**
 * The page on which people make invites, who know the token. It comes and goes in the body of a POST alone, so that it is in no
 * address, no history and no log; an answer is never stored.
 * @param {{
 *   token: () => string | undefined,
 *   addresses: () => string[],
 *   createInvite: (options: {uses: number, external: string}) => Promise<string>,
 *   draw: (text: string) => Promise<string>,
 * }} pub `addresses`: the best first; `draw`: a QR code as SVG, '' when there is none
 */
function createPage(pub) {
  const limitOfOne = createLimit({ burst: 10, everyMs: 10_000 })
  const limitOfAll = createLimit({ burst: 30, everyMs: 2_000 })

  async function post(request, say) {
    const visitor = describeVisitor(String(request.headers['x-real-ip'] ?? ''))
    const waitMs = limitOfOne(visitor) || limitOfAll('')
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000)
      return { status: 429, headers: { 'Retry-After': seconds }, body: form(say, pub.addresses(), say.slow(seconds)) }
    }
    const fields = new URLSearchParams(await readBody(request))
    const problem = (status, text) => ({ status, body: form(say, pub.addresses(), text) })
    const token = pub.token()
    if (token === undefined || !isSameToken(fields.get('token') ?? '', token)) return problem(403, say.wrong)
    const uses = Number(fields.get('uses'))
    if (!Number.isInteger(uses) || uses < 1 || uses > MOST_USES) return problem(400, say.badUses)
    const addresses = pub.addresses()
    const external = fields.get('address') ?? addresses[0]
    if (external === undefined) return problem(503, say.noAddress)
    if (!addresses.includes(external)) return problem(400, say.badAddress)
    try {
      const invite = await pub.createInvite({ uses, external })
      return { status: 200, body: invitation(say, { invite, uses, code: await pub.draw(invite) }) }
    } catch (error) {
      console.error(`no invite: ${error.message}`)
      return problem(500, say.failed)
    }
  }

  async function answer(request) {
    const language = languageOf(request, words)
    const say = words[language]
    const finish = ({ status, headers, body }) => ({ status, headers, text: renderDocument({ language, say, body }) })
    if (request.url !== '/ssb/') return finish({ status: 404, body: '' })
    if (request.method === 'POST') return finish(await post(request, say))
    if (request.method === 'GET' || request.method === 'HEAD')
      return finish({ status: 200, body: form(say, pub.addresses()) })
    return finish({ status: 405, headers: { Allow: 'GET, HEAD, POST' }, body: '' })
  }

  return createServer({ requestTimeout: 20_000 }, (request, response) => {
    answer(request).then(
      ({ status, headers, text }) => {
        response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store', ...headers })
        response.end(request.method === 'HEAD' ? undefined : text)
      },
      () => response.destroy(),
    )
  })
}

/** The body; of one that is too long, nothing. */
async function readBody(request) {
  const parts = []
  let length = 0
  for await (const part of request) {
    length += part.length
    if (length <= MOST_BYTES) parts.push(part)
  }
  return length <= MOST_BYTES ? Buffer.concat(parts).toString('utf8') : ''
}

function form(say, addresses, problem) {
  const options = addresses.map((address) => `<option>${html(address)}</option>`).join('')
  return `<p>${say.why}</p>
${problem === undefined ? '' : `<p class="problem" role="alert">${html(problem)}</p>\n`}<form method="post" action="/ssb/" autocomplete="off">
<label for="token">${say.token}</label>
<input id="token" name="token" type="password" required maxlength="64" autocapitalize="none" spellcheck="false" aria-describedby="token-help">
<p class="note" id="token-help">${say.tokenHelp} <code>pibake-ssb token</code></p>
<label for="uses">${say.uses}</label>
<input id="uses" name="uses" type="number" inputmode="numeric" min="1" max="${MOST_USES}" value="1" required>
${options === '' ? '' : `<label for="address">${say.address}</label>\n<select id="address" name="address">${options}</select>\n`}<p><button>${say.make}</button></p>
</form>
`
}

function invitation(say, { invite, uses, code }) {
  const source = `data:image/svg+xml;base64,${Buffer.from(code).toString('base64')}`
  const picture = code === '' ? '' : `<p><img class="code" alt="${html(say.code)}" src="${source}"></p>\n`
  return `<h2>${say.made}</h2>
<div class="card">
<p><code>${html(invite)}</code></p>
${picture}</div>
<p>${say.people(uses)} ${say.madeHelp}</p>
<p><a href="/ssb/">${say.again}</a></p>
`
}

module.exports = { createPage }
