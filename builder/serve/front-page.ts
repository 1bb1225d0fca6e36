import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatBytes } from '../core/size.ts'
import { asMarkup, html, type Markup } from '../page/html.ts'
import type { SharedSuite } from './debian.ts'
import type { SharedFile, SharedImage } from './images.ts'

/** What the front page shows. */
export interface FrontPage {
  /** What the machine is called. */
  name: string
  images: readonly SharedImage[]
  suites: readonly SharedSuite[]
  npm: { packages: number; sizeBytes: number; stages: readonly string[] }
  /** The packages of stages, where there is a repository of them. */
  packages: { names: readonly string[]; source: string } | undefined
  /** Fingerprint of the key that signs the package indexes. */
  fingerprint: string
  /** The picture of an address that a phone reads, as SVG. */
  drawCode: (address: string) => Markup
}

const styleSheet = asMarkup(readFileSync(join(import.meta.dirname, 'front-page.css'), 'utf8').trimEnd())

const drawing =
  asMarkup(`<svg class="drawing" viewBox="0 0 1200 400" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
<path fill="none" d="M60 320 210 210 330 330 480 190 640 300 720 120 880 240 1010 90 1150 220M210 210 300 70 480 190 560 60 720 120 830 40 1010 90M330 330 640 300 780 370 880 240 1060 340 1150 220M300 70 560 60"/>
<circle cx="60" cy="320" r="6"/><circle cx="210" cy="210" r="9"/><circle cx="300" cy="70" r="6"/><circle cx="330" cy="330" r="7"/><circle cx="480" cy="190" r="11"/><circle cx="560" cy="60" r="6"/><circle cx="640" cy="300" r="8"/><circle cx="720" cy="120" r="10"/><circle cx="780" cy="370" r="5"/><circle cx="830" cy="40" r="5"/><circle cx="880" cy="240" r="9"/><circle cx="1010" cy="90" r="8"/><circle cx="1060" cy="340" r="6"/><circle cx="1150" cy="220" r="7"/>
</svg>`)

const cardIcon =
  asMarkup(`<svg viewBox="0 0 48 60" fill="none" stroke="currentColor" stroke-width="2.5" stroke-linejoin="round" aria-hidden="true">
<path d="M4 2h28l12 12v44H4z"/><path d="M12 10v9M19 10v9M26 10v9M33 14v5" stroke-linecap="round"/><path d="M14 44h20M14 36h20" stroke-linecap="round" opacity=".5"/>
</svg>`)

const linkTo = (path: string): string => path.split('/').map(encodeURIComponent).join('/')

const listFile = ({ name, path, sizeBytes, sha256 }: SharedFile): Markup =>
  html`<li><a href="${linkTo(path)}">${name}</a>, ${formatBytes(sizeBytes)}${sha256 && html`<br><code>${sha256}</code>`}</li>`

/** Only images for machines with UEFI have a form for virtual ones. */
const isVirtual = ({ name }: SharedFile): boolean => name.endsWith('.qcow2')

const renderImage = ({ stem, imager, forms, report, besides }: SharedImage, devices: readonly string[]): Markup => {
  const [first, ...others] = forms
  return html`<li>
<div class="top">${cardIcon}<div><h3>${stem}</h3><span class="soft">${formatBytes(forms.at(-1)?.sizeBytes ?? 0)} on the card</span></div></div>
<p>${imager?.description ?? (forms.some(isVirtual) ? 'For a machine with UEFI: virtual, rented, laptop, server.' : undefined)}</p>
<ul class="chips">${devices.map((device) => html`<li>${device}</li>`)}</ul>
<p class="links">${first && html`<a class="button" href="${linkTo(first.path)}" download>Download ${formatBytes(first.sizeBytes)}</a>`}
${report === undefined ? undefined : html`<a class="button quiet" href="${linkTo(report)}">What is in it</a>`}</p>
<details class="besides"><summary>Files and checksums</summary><ul>
${[...(first ? [first] : []), ...others, ...besides].map(listFile)}
</ul></details>
</li>`
}

/** What Imager calls the boards that an image is for: its tags say more than people want to read. */
const boardsOf = ({ imager }: SharedImage): string[] =>
  (imager?.devices ?? []).map((tag) =>
    tag.replace(/^pi(\w+?)-(\d+)bit$/, 'Raspberry Pi $1').replace(/^pi(\w+)$/, 'Raspberry Pi $1'),
  )

const renderImages = (images: readonly SharedImage[], host: string): Markup | undefined =>
  images.length === 0
    ? undefined
    : html`<section id="images">
<h2>Write a card</h2>
<ul class="cards">
${images.map((image) => renderImage(image, [...new Set(boardsOf(image))]))}
</ul>
${
  images.some(({ imager }) => imager)
    ? html`<p>With <strong>Raspberry Pi Imager</strong> 2 or later: open <a href="/pibake.rpi-imager-manifest" download>this list</a>, or name its address as content repository in the options:</p>
<pre tabindex="0">http://${host}/imager.json</pre>`
    : undefined
}
</section>`

const renderSuite = ({ codename, architectures, packages, sizeBytes, source }: SharedSuite, host: string): Markup =>
  html`<li>
<h3>Debian ${codename}</h3>
<p class="soft">${packages} packages, ${formatBytes(sizeBytes)}</p>
<ul class="chips">${architectures.map((name) => html`<li>${name}</li>`)}</ul>
<pre tabindex="0">sudo wget -O /etc/apt/sources.list.d/pibake.sources http://${host}${source}
sudo apt update</pre>
</li>`

const renderPackages = ({ suites, npm, fingerprint }: FrontPage, host: string): Markup => html`<section id="packages">
<h2>Packages without internet</h2>
<ul class="cards">
${suites.map((suite) => renderSuite(suite, host))}
${
  npm.packages === 0
    ? undefined
    : html`<li id="npm">
<h3>npm</h3>
<p class="soft">${npm.packages} packages, ${formatBytes(npm.sizeBytes)}</p>
<ul class="chips">${npm.stages.map((name) => html`<li><a href="/npm/-/${name}/package-lock.json">${name}</a></li>`)}</ul>
<pre tabindex="0">npm config set registry http://${host}/npm/</pre>
</li>`
}
</ul>
<p class="soft">It is not all of Debian or of npm: what the images here are made of, and the tools to make them. The lists are signed by <a href="/debian/pibake-archive-keyring.asc">the key of this group</a>. Compare its fingerprint with what its keeper tells you: <code>${fingerprint}</code></p>
</section>`

const renderStages = ({ packages }: FrontPage, host: string): Markup | undefined =>
  packages &&
  html`<section id="stages">
<h2>For a Pi that runs already</h2>
<ul class="chips">${packages.names.map((name) => html`<li>${name}</li>`)}</ul>
<pre tabindex="0">sudo wget -O /etc/apt/sources.list.d/pibake-stages.sources http://${host}${packages.source}
sudo apt update
sudo apt install ${packages.names[0] ?? ''}</pre>
</section>`

const renderBaking = (host: string): Markup => html`<section id="bake">
<h2>Bake here</h2>
<p>With pibake on your own machine and the same locks, everything comes from this one:</p>
<pre tabindex="0">export npm_config_registry=http://${host}/npm/
./pibake fetch --profile pub --mirror http://${host}/debian
sudo -E ./pibake --profile pub --offline</pre>
</section>`

const figure = (target: string, amount: number, what: string): Markup =>
  html`<li><a href="${target}"><strong>${amount}</strong><span>${what}</span></a></li>`

/** The front page as who reached the server as `host` (with its port) sees it: one page without scripts. */
export const renderFrontPage = (page: FrontPage, host: string): string => {
  const { name, images, suites, npm } = page
  const packages = suites.reduce((sum, suite) => sum + suite.packages, 0)
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>pibake on ${name}</title>
<link rel="icon" href="data:,">
<style>
${styleSheet}
</style>
</head>
<body>
<header>
${drawing}
<div class="hero"><div><h1>Take a node home</h1><p class="address">http://${host}/</p></div>${page.drawCode(`http://${host}/`)}</div>
<ul class="figures">
${images.length > 0 ? figure('#images', images.length, images.length === 1 ? 'image' : 'images') : undefined}
${page.packages && figure('#stages', page.packages.names.length, 'services for a Pi')}
${packages > 0 ? figure('#packages', packages, 'Debian packages') : undefined}
${npm.packages > 0 ? figure('#npm', npm.packages, 'npm packages') : undefined}
</ul>
</header>
<main>
${renderImages(images, host)}
${renderStages(page, host)}
${renderPackages(page, host)}
${renderBaking(host)}
<section id="read"><h2>Read</h2>
<p><a class="button" href="/docs/README.html">What this is</a> <a class="button quiet" href="/docs/index.html">All of the documentation</a></p></section>
</main>
<footer></footer>
</body>
</html>
`.markup
}
