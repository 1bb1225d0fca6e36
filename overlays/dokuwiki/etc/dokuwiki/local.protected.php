<?php
// The settings of /etc/pibake/dokuwiki.conf, by way of the unit. They come after those of local.php.
$setting = fn (string $name, string $default) => (getenv($name) ?: '') !== '' ? getenv($name) : $default;
$conf['title'] = $setting('TITLE', gethostname());
$conf['lang'] = $setting('LANGUAGE', 'en');
$conf['disableactions'] = $setting('REGISTRATION', 'true') === 'false' ? 'register' : '';
unset($setting);
$conf['useacl'] = 1;
$conf['superuser'] = '@admin';
// There is no mail, and no internet.
$conf['autopasswd'] = 0;
$conf['resendpasswd'] = 0;
$conf['subscribers'] = 0;
$conf['updatecheck'] = 0;
