/** A check: a script of sh that runs as root in the guest and passes with status 0. */
export interface GuestCheck {
  stage: string
  name: string
  title: string
  script: string
  timeoutMs: number
}

const system = (name: string, title: string, script: string, timeoutMs = 60_000): GuestCheck => ({
  stage: 'system',
  name,
  title,
  script: `set -eu\n${script}`,
  timeoutMs,
})

const running = `
state=$(systemctl is-system-running || true)
failed=$(systemctl --failed --no-legend --plain)
echo "$state"
[ -z "$failed" ] || { echo "$failed"; exit 1; }
[ "$state" = running ]`

const quietJournal = `
lines=$(journalctl -b -p crit -q --no-pager -o short)
[ -z "$lines" ] || { echo "$lines"; exit 1; }
echo 'nothing at crit, alert or emerg'`

/** Sizes in sysfs count sectors of 512 bytes; 16 MiB are allowed for alignment, a tenth for what ext4 keeps. */
const rootGrew = `
device=$(findmnt -nro SOURCE /)
name=$(basename "$(readlink -f "$device")")
disk=$(basename "$(readlink -f "/sys/class/block/$name/..")")
start=$(cat "/sys/class/block/$name/start")
sectors=$(cat "/sys/class/block/$name/size")
total=$(cat "/sys/class/block/$disk/size")
left=$((total - start - sectors))
filesystem=$(findmnt -bnro SIZE /)
echo "disk $disk: $((total * 512)) bytes; partition $name: $((sectors * 512)), $((left * 512)) bytes after it; file system: $filesystem"
[ "$left" -le 32768 ] || { echo 'the partition does not fill the disk'; exit 1; }
[ "$((filesystem * 10))" -ge "$((sectors * 512 * 9))" ] || { echo 'the file system does not fill its partition'; exit 1; }`

const mounts = `
findmnt -nro TARGET,FSTYPE,OPTIONS /
findmnt -nro TARGET,FSTYPE,OPTIONS /boot/firmware || { echo '/boot/firmware is not mounted'; exit 1; }
findmnt -nro OPTIONS / | grep -Eq '^rw(,|$)' || { echo 'the root file system is read-only'; exit 1; }
[ "$(findmnt -nro FSTYPE /boot/firmware)" = vfat ]
if journalctl -b -k -q --no-pager | grep -Ei 'EXT4-fs (error|warning)|not properly unmounted|recovery (required|complete)|FAT-fs .*error'; then
  exit 1
fi
state=$(tune2fs -l "$(findmnt -nro SOURCE /)" | sed -n 's/^Filesystem state: *//p')
echo "root file system: $state"
[ "$state" = clean ]`

const unmodified = `
packages=$(dpkg-query -W -f '\${db:Status-Abbrev} \${Package}\\n' 'pibake-*' | sed -n 's/^ii  *//p')
[ -n "$packages" ] || { echo 'no stage package is installed'; exit 1; }
echo $packages
changed=$(dpkg --verify $packages || true)
[ -z "$changed" ] || { echo "$changed"; exit 1; }`

/** What every image must pass, whatever its stages; `hasStages` adds what holds only for stage packages. */
export const systemChecks = (options: { hasStages: boolean }): GuestCheck[] => [
  system('running', 'the system is running with zero failed units', running),
  system('journal', 'the journal has nothing at crit, alert or emerg', quietJournal),
  system('root-grew', 'the root file system fills the disk', rootGrew),
  system('mounts', 'both file systems are mounted and clean', mounts),
  ...(options.hasStages
    ? [system('unmodified', 'the files of every stage package are as installed', unmodified, 180_000)]
    : []),
]

const recovered = `
findmnt -nro OPTIONS / | grep -Eq '^rw(,|$)' || { echo 'the root file system is read-only'; exit 1; }
journalctl -b -k -q --no-pager | grep -Ei 'EXT4-fs.*(recovery|orphan)|not properly unmounted' || true
if journalctl -b -k -q --no-pager | grep -Ei 'EXT4-fs error|FAT-fs .*error|I/O error'; then exit 1; fi`

/** What must hold of an image that is booted again after its power was cut. */
export const recoveryChecks: readonly GuestCheck[] = [
  system('running', 'it boots again with zero failed units', running),
  system('recovered', 'its file systems have recovered', recovered),
]

const memory = `
perl -e '
  sub megabytes { sprintf "%.1f MB", $_[0] / 1e6 }
  sub value { my ($path, $pattern) = @_; open my $file, "<", $path or return 0; local $/; return <$file> =~ $pattern ? $1 : 0 }
  my ($total, $available) = map { 1024 * value("/proc/meminfo", qr/^$_: *([0-9]+) kB/m) } "MemTotal", "MemAvailable";
  printf "%s of %s in use; of services, their own and the cache of files that goes when memory is short:\\n",
    megabytes($total - $available), megabytes($total);
  my @services;
  for my $group (glob "/sys/fs/cgroup/system.slice/*.service /sys/fs/cgroup/system.slice/*/*.service") {
    my $cache = value("$group/memory.stat", qr/^file ([0-9]+)/m);
    my $own = value("$group/memory.current", qr/^([0-9]+)/) - $cache;
    push @services, [$own, $cache, $group =~ s{.*/}{}r] if $own > 0;
  }
  printf "%9s %9s  %s\\n", megabytes($_->[0]), megabytes($_->[1]), $_->[2] for sort { $b->[0] <=> $a->[0] } @services;
'
ended=$(journalctl -b -k -q --no-pager -o cat | grep -Ei 'out of memory|oom-kill' || true)
[ -z "$ended" ] || { echo "$ended"; exit 1; }`

/** Put once the services have been at work: what each holds of memory, by its control group (Linux, cgroup-v2.rst). */
export const memoryCheck = system('memory', 'no process was ended for want of memory', memory)

/**
 * The last check, for it changes the guest: purging the package of `stage` removes its files, no other package than
 * those that depend on it, and leaves no failed unit behind.
 */
export const purgeCheck = (stage: string): GuestCheck => {
  const name = `pibake-${stage}`
  return system(
    'purge',
    `\`${name}\` purges cleanly`,
    `
export DEBIAN_FRONTEND=noninteractive
installed() { dpkg-query -W -f '\${db:Status-Abbrev} \${binary:Package}\\n' | sed -n 's/^ii  *//p' | sort; }
files=$(dpkg -L ${name} | grep -vx '/\\.')
before=$(installed)
# Those that depend on it go along.
dependants=$(dpkg-query -W -f '\${db:Status-Abbrev}|\${binary:Package}|, \${Depends},\\n' | sed -n 's/^ii *|\\([^|]*\\)|.*, ${name}[ ,].*/\\1/p')
apt-get purge -y -q -o Dpkg::Use-Pty=0 ${name}
after=$(installed)
printf '%s\\n' "$before" | grep -vx '${name}\\(:[a-z0-9]*\\)\\?' | grep -vxF "\${dependants:-none}" >/run/pibake-expected || true
printf '%s\\n' "$after" >/run/pibake-after
cmp -s /run/pibake-expected /run/pibake-after || {
  echo 'the purge changed other packages:'
  sort /run/pibake-expected /run/pibake-after | uniq -u
  exit 1
}
left=$(printf '%s\\n' "$files" | while IFS= read -r path; do
  if [ -L "$path" ] || [ -f "$path" ]; then echo "$path"
  elif [ -d "$path" ] && ! dpkg -S "$path" >/dev/null 2>&1; then echo "$path/"
  fi
done)
[ -z "$left" ] || { echo 'left behind:'; echo "$left"; exit 1; }
systemctl daemon-reload
failed=$(systemctl --failed --no-legend --plain)
[ -z "$failed" ] || { echo 'failed units after the purge:'; echo "$failed"; exit 1; }
echo "$(printf '%s\\n' "$files" | wc -l) paths are gone"`,
    300_000,
  )
}
