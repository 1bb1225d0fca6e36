import { type Dispatcher, EnvHttpProxyAgent, interceptors, request } from 'undici'
import { PibakeError } from '../core/error.ts'

export interface ConnectionOptions {
  /** Connections to one server (1). */
  parallel?: number
  /** Milliseconds without a byte until a server counts as stalled (30000). */
  stallTimeoutMs?: number
}

/** What a server answers; its body has to be read or destroyed. */
export type Answer = Dispatcher.ResponseData

export interface RequestOptions {
  method?: 'GET' | 'HEAD'
  headers?: Readonly<Record<string, string>>
  signal?: AbortSignal
}

/** Connections that are kept alive for further requests; disposal ends them at once, with whatever is under way. */
export interface Connections extends AsyncDisposable {
  request: (url: string, options?: RequestOptions) => Promise<Answer>
}

/**
 * The one way to the network: connections without pipelining, redirects followed, through the proxy that `http_proxy` or
 * `https_proxy` names unless `no_proxy` excepts the host. Throws `USAGE` for a proxy that has no usable address.
 */
export const openConnections = ({ parallel = 1, stallTimeoutMs = 30_000 }: ConnectionOptions = {}): Connections => {
  const agent = openAgent({
    connections: parallel,
    pipelining: 1,
    allowH2: false,
    connect: { timeout: stallTimeoutMs },
    headersTimeout: stallTimeoutMs,
    bodyTimeout: stallTimeoutMs,
  })
  const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: 5 }))
  return {
    request: (url, { headers, ...options } = {}) =>
      request(url, { ...options, headers: { 'user-agent': 'pibake', ...headers }, dispatcher }),
    [Symbol.asyncDispose]: () => agent.destroy(),
  }
}

const openAgent = (options: EnvHttpProxyAgent.Options): EnvHttpProxyAgent => {
  try {
    return new EnvHttpProxyAgent({
      ...options,
      httpProxy: proxyIn('http_proxy'),
      httpsProxy: proxyIn('https_proxy'),
    })
  } catch (cause) {
    throw new PibakeError('USAGE', 'The proxy in `http_proxy` or `https_proxy` has no address that can be used.', {
      hint: 'Write it as `http://HOST:PORT`, or unset the variable; `no_proxy` lists the hosts that need none.',
      cause,
    })
  }
}

/** The address of a proxy, empty when there is none; `http://` may be left out of it, as for curl(1). */
const proxyIn = (variable: 'http_proxy' | 'https_proxy'): string => {
  const text = process.env[variable] ?? process.env[variable.toUpperCase()] ?? ''
  return text === '' || text.includes('://') ? text : `http://${text}`
}
