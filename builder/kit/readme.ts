import { showFingerprint } from './key.ts'

/** `README.txt` of a stick, for who finds it: lines that fit an old console, and end as Windows wants them too. */
export const renderReadme = ({
  profiles,
  fingerprint,
}: {
  profiles: readonly string[]
  fingerprint: string
}): string => {
  const example = profiles[0] ?? 'NAME'
  const lines = [
    'pibake on a stick',
    '=================',
    '',
    'Bakes images for the Raspberry Pi, boot-tests them and writes cards, without any network.',
    `Profiles: ${profiles.join(', ')}`,
    '',
    'On Linux, as root, in the folder of this stick:',
    '',
    `    sh pibake --profile ${example}`,
    `    sh pibake test /var/lib/pibake/images/${example}.img`,
    `    sh pibake flash ${example} --to sdX`,
    '',
    'It unpacks itself to /var/lib/pibake and works there: about 12 GB are needed. PIBAKE_DESK names another folder.',
    'Nothing is written to the stick, and nothing is installed on the machine.',
    '',
    'All documents: open index.html with a browser.',
    '',
    'Images that are ready to be written are in images/: any tool writes them to a card.',
    'For Raspberry Pi Imager: `sh pibake kit imager` writes the list that it opens.',
    '',
    'Packages for a Raspberry Pi, or another machine with Debian, that runs already. As root, on one line:',
    '',
    '    echo "deb [signed-by=/media/stick/pibake-kit.asc] file:/media/stick trixie main pibake"',
    '        > /etc/apt/sources.list.d/pibake-stick.list',
    '',
    'with the folder of the stick in place of /media/stick; then `apt update`, `apt install pibake-ssb-pub`.',
    '',
    'Is it whole? `sh pibake kit verify .` reads all of it. Without pibake: `sha256sum -c SHA256SUMS`.',
    'Was it made by whom you think? Ask them for the fingerprint of their key; that of this stick is',
    '',
    `    ${showFingerprint(fingerprint)}`,
    '',
    'A stick can say anything of itself: check it with a pibake, or a gpg, that you trusted before.',
    '',
  ]
  return lines.join('\r\n')
}
