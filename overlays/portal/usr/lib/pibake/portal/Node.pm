package Node;
# What there is to say about this node. Needs nothing beyond perl-base, coreutils, iproute2 and systemctl.
use strict;
use warnings;
use File;
use Json;

# PIBAKE_ROOT stands before each path, for trying it elsewhere.
my $root = $ENV{PIBAKE_ROOT} // '';
sub path { return "$root$_[0]" }

# {host, offers, addresses, names, wifi, disk, memory, uptime, mirror, certificate}
sub describe {
  my $host = File::read("$root/proc/sys/kernel/hostname") // 'pibake';
  chomp $host;
  my @stages = stages();
  my %has = map { $_->{name} => 1 } @stages;
  my $wifi = wifi();
  return {
    host => $host,
    offers => [offers(@stages)],
    addresses => [addresses()],
    names => [$has{avahi} ? "$host.local" : (), $wifi && $wifi->{domain} ne '' ? "$host.$wifi->{domain}" : ()],
    wifi => $wifi,
    disk => disk(),
    memory => memory(),
    uptime => int((File::read("$root/proc/uptime") // '0') =~ /^([0-9]+)/ ? $1 : 0),
    mirror => $has{'apt-mirror'},
    certificate => certificate(),
  };
}

sub stages {
  my @found;
  for my $path (sort glob "$root/usr/share/pibake/stages/*.json") {
    my $stage = eval { Json::decode(File::read($path) // '') };
    if (ref $stage ne 'HASH' || !defined $stage->{name}) {
      warn "$path: " . ($@ || "no stage\n");
      next;
    }
    push @found, $stage;
  }
  return @found;
}

# Stages with an entry for the page, each with `state`: failed, starting, running or unknown.
sub offers {
  my @offers = grep { ref $_->{portal} eq 'HASH' } @_;
  my %services = map { $_->{name} => [services_of($_->{name})] } @offers;
  my $states = states_of(map { @$_ } values %services);
  $_->{state} = summarise(@{$states}{ @{ $services{ $_->{name} } } }) for @offers;
  return @offers;
}

# The services a stage brings, or extends with a drop-in, by the file list of its package.
sub services_of {
  my ($name) = @_;
  my %units;
  for (split /\n/, File::read("$root/var/lib/dpkg/info/pibake-$name.list") // '') {
    $units{$1} = 1 if m{/systemd/system/([^/\@]+\.service)(?:\.d/[^/]+)?$};
  }
  return sort keys %units;
}

# What systemd says of units, by name: one call for all of them.
sub states_of {
  my %states;
  return \%states unless @_;
  my $answer = File::output_of('', 'systemctl', 'show', '--property=Id,ActiveState,SubState', '--', @_);
  for my $block (split /\n\n+/, $answer) {
    my %property = $block =~ /^(\w+)=(.*)$/mg;
    $states{ $property{Id} } = "$property{ActiveState} $property{SubState}" if defined $property{Id};
  }
  return \%states;
}

# A service at rest is not at fault: many only run when called.
sub summarise {
  my @states = map { $_ // 'unknown' } @_;
  return 'failed' if grep { /^failed|auto-restart$/ } @states;
  return 'unknown' if grep { $_ eq 'unknown' } @states;
  return 'starting' if grep { /^activating/ } @states;
  return 'running';
}

# What a visitor can type, best first: IPv4, the mesh, other IPv6. The mesh is 200::/7 (yggdrasil) and fc00::/8 (cjdns).
sub addresses {
  my @found;
  for (split /\n/, File::output_of('', 'ip', '-o', 'addr', 'show', 'up', 'scope', 'global')) {
    my ($address, $length) = m{ inet6? ([0-9a-f.:]+)(?:/([0-9]+))?} or next;
    next if /\binet6 .*\b(?:temporary|deprecated|tentative|dadfailed)\b/;
    my $is_mesh = $address =~ /^(?:[23][0-9a-f]{2}|fc[0-9a-f]{2}):/ && ($length // 128) <= 8;
    my $rank = $is_mesh ? 1 : $address =~ /:/ ? 2 : 0;
    push @found, { address => $address, kind => $is_mesh ? 'mesh' : 'network', rank => $rank };
  }
  return sort { $a->{rank} <=> $b->{rank} || $a->{address} cmp $b->{address} } @found;
}

# The access point's name and pass phrase, as hostapd was given them, while its interface is there.
sub wifi {
  my ($path) = glob "$root/run/pibake-access-point/*.hostapd";
  my $text = File::read($path // '') // return undef;
  my %value = $text =~ /^(\w+)=(.*)$/mg;
  return undef unless defined $value{ssid2} && -e "$root/sys/class/net/$value{interface}";
  my ($domain) = (File::read($path =~ s/hostapd$/dnsmasq/r) // '') =~ /^domain=(.*)$/m;
  return { name => pack('H*', $value{ssid2}), phrase => $value{wpa_passphrase} // '', domain => $domain // '' };
}

# {size, free} of the root file system, in bytes
sub disk {
  my ($size, $free) = File::output_of('', 'df', '-P', '-k', "$root/") =~ /^\S+\s+([0-9]+)\s+[0-9]+\s+([0-9]+)\s/m or return undef;
  return { size => $size * 1024, free => $free * 1024 };
}

sub memory {
  my %kib = (File::read("$root/proc/meminfo") // '') =~ /^(\w+):\s+([0-9]+) kB$/mg;
  return undef unless $kib{MemTotal} && defined $kib{MemAvailable};
  return { size => $kib{MemTotal} * 1024, free => $kib{MemAvailable} * 1024 };
}

# Fingerprint of the certificate that the stage `https` hands out at /certificate.crt.
sub certificate {
  my $text = File::read("$root/var/lib/pibake/https/authority.crt") // return undef;
  my ($body) = $text =~ /-----BEGIN CERTIFICATE-----\n(.*?)-----END CERTIFICATE-----/s or return undef;
  my $sum = File::output_of(File::output_of($body, 'base64', '-d'), 'sha256sum') =~ /^([0-9a-f]{64})/ ? uc $1 : return undef;
  return join ':', $sum =~ /../g;
}

1;
