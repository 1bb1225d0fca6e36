import test from 'ava'
import { type MaintainerInput, maintainerScripts } from '../../builder/deb/maintainer.ts'

const scriptsFor = (input: Partial<MaintainerInput>) =>
  maintainerScripts({ packageName: 'pibake-x', units: [], sysusers: [], tmpfiles: [], snippets: {}, ...input })

const installed = '[Service]\nExecStart=/x\n[Install]\nWantedBy=multi-user.target\n'

test('nothing to do, no script', (t) => {
  t.deepEqual(scriptsFor({}), {})
})

test('only units with [Install] are enabled, started and purged; all are stopped', (t) => {
  const units = [
    { name: 'a.service', text: installed },
    { name: 'b.service', text: '[Service]\nExecStart=/b\n# [Install]\n' },
  ]
  const { postinst = '', prerm = '', postrm = '' } = scriptsFor({ units })
  t.regex(postinst, /deb-systemd-helper enable a\.service/)
  t.regex(postinst, /deb-systemd-invoke \$pibake_action a\.service >/)
  t.notRegex(postinst, /b\.service/)
  t.regex(prerm, /systemctl --system stop a\.service b\.service/)
  t.regex(postrm, /deb-systemd-helper purge a\.service >/)
})

test('a template is enabled only with a default instance, and never started', (t) => {
  const units = [
    { name: 'a@.service', text: installed },
    { name: 'b@.service', text: `${installed}DefaultInstance=one\n` },
  ]
  const { postinst = '', prerm = '' } = scriptsFor({ units })
  t.notRegex(postinst, /enable 'a@|enable a@/)
  t.regex(postinst, /deb-systemd-helper enable b@\.service/)
  t.notRegex(postinst, /deb-systemd-invoke/)
  t.regex(prerm, /stop 'a@\*\.service' 'b@\*\.service'/)
})

test('snippets come last in postinst, first in prerm and postrm', (t) => {
  const snippets = { postinst: 'SNIPPET\n', prerm: 'SNIPPET\n', postrm: 'SNIPPET\n' }
  const {
    postinst = '',
    prerm = '',
    postrm = '',
  } = scriptsFor({
    units: [{ name: 'a.service', text: installed }],
    snippets,
  })
  t.true(postinst.endsWith('fi\nSNIPPET\n'))
  for (const script of [prerm, postrm]) t.regex(script, /^#!\/bin\/sh\n# .*\nset -e\n\nSNIPPET\nif /)
})

test('users are made before folders that they own', (t) => {
  const { postinst = '' } = scriptsFor({ sysusers: ['x.conf'], tmpfiles: ['x.conf'] })
  t.regex(postinst, /systemd-sysusers x\.conf\n[\s\S]*systemd-tmpfiles --create/)
})
