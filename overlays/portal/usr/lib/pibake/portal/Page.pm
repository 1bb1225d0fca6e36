package Page;
# The front page in one language, as HTML with two of nginx's server-side includes: the address that the visitor used, and
# what only visitors on the node's own networks are shown.
use strict;
use warnings;
use File;

# Escapes text for an element or a quoted attribute.
sub html {
  my ($text) = @_;
  $text =~ s/&/&amp;/g;
  $text =~ s/</&lt;/g;
  $text =~ s/>/&gt;/g;
  $text =~ s/"/&quot;/g;
  return $text;
}

# Reads a file of `key: text` lines.
sub read_words {
  my ($path) = @_;
  return { (File::read($path) // die "$path: $!\n") =~ /^([\w-]+): (.*)$/mg };
}

sub size {
  my ($bytes, $words) = @_;
  my @units = ('kB', 'MB', 'GB', 'TB');
  my $value = $bytes / 1000;
  while ($value >= 1000 && @units > 1) { $value /= 1000; shift @units }
  return sprintf($value < 10 ? '%.1f' : '%.0f', $value) =~ s/\./$words->{decimal}/r . " $units[0]";
}

# The largest units of a time, two at most: 3 days 4 hours.
sub duration {
  my ($seconds, $words) = @_;
  my @parts = (['day', int($seconds / 86400)], ['hour', int($seconds / 3600) % 24], ['minute', int($seconds / 60) % 60]);
  shift @parts while @parts > 1 && $parts[0][1] == 0;
  my @shown = grep { $_->[1] > 0 || @parts == 1 } @parts[0 .. (@parts > 1 ? 1 : 0)];
  return join ' ', map { "$_->[1] " . $words->{ $_->[1] == 1 ? $_->[0] : "$_->[0]s" } } @shown;
}

sub url { my ($host) = @_; return $host =~ /:/ ? "http://[$host]/" : "http://$host/" }

# Points, and lines between near ones: a mesh of its own for each host name.
sub drawing {
  my ($seed) = @_;
  my $state = 7;
  $state = ($state * 31 + ord) % 2147483647 for split //, $seed;
  my $random = sub { $state = ($state * 48271) % 2147483647; return $state / 2147483647 };
  $random->() for 1 .. 3;
  my @points;
  for my $column (0 .. 9) {
    push @points, [int($column * 80 + 10 + $random->() * 60), int($_ * 80 + 10 + $random->() * 60)] for 0 .. 2;
  }
  my ($lines, $dots) = ('', '');
  for my $i (0 .. $#points) {
    my ($x, $y) = @{ $points[$i] };
    for my $j ($i + 1 .. $#points) {
      my ($u, $v) = @{ $points[$j] };
      $lines .= "M$x ${y}L$u $v" if ($x - $u)**2 + ($y - $v)**2 < 92**2;
    }
    $dots .= sprintf '<circle cx="%d" cy="%d" r="%d"/>', $x, $y, 3 + int($random->() * 4);
  }
  return qq{<svg class="drawing" viewBox="0 0 800 240" preserveAspectRatio="xMaxYMid slice" aria-hidden="true" focusable="false"><path d="$lines"/>$dots</svg>};
}

sub section {
  my ($id, $heading, $body) = @_;
  return $body eq '' ? '' : "<section aria-labelledby=\"about-$id\">\n<h2 id=\"about-$id\">$heading</h2>\n$body</section>\n";
}

sub offers {
  my ($node, $words, $language) = @_;
  my $list = '';
  for my $stage (@{ $node->{offers} }) {
    my $portal = $stage->{portal};
    my $own = (ref $portal->{translations} eq 'HASH' ? $portal->{translations}{$language} : undef) // {};
    my $title = html($own->{title} // $portal->{title} // $stage->{name});
    $title = sprintf '<a href="%s">%s</a>', html($portal->{path}), $title if ($portal->{path} // '') =~ m{^/};
    my $port = defined $portal->{port} ? sprintf(' <span class="port">%s</span>', html(sprintf $words->{port}, $portal->{port})) : '';
    $list .= sprintf qq{<li id="%s">\n<h3>%s</h3>\n<p>%s%s</p>\n<p class="state %s">%s</p>\n</li>\n},
      html($stage->{name}), $title, html($own->{description} // $portal->{description} // ''), $port,
      $stage->{state}, $words->{ $stage->{state} };
  }
  return $list ne '' ? "<ul class=\"offers\">\n$list</ul>\n" : "<p>$words->{nothing}</p>\n";
}

sub code_card {
  my ($name, $alt, $text) = @_;
  return sprintf qq{<li>\n<img src="/qr/%s.svg" width="148" height="148" alt="%s">\n<div>\n%s</div>\n</li>\n}, $name, html($alt), $text;
}

sub share {
  my ($node, $words) = @_;
  my $list = '';
  if (my $wifi = $node->{wifi}) {
    my $phrase = $wifi->{phrase} ne '' ? "$words->{'pass-phrase'}: <code>" . html($wifi->{phrase}) . '</code>' : $words->{'wifi-open'};
    my $text = sprintf "<h3>%s <code>%s</code></h3>\n<p>%s</p>\n<p>%s</p>\n", $words->{wifi}, html($wifi->{name}), $words->{'wifi-how'}, $phrase;
    my $card = code_card('wifi', sprintf($words->{'qr-wifi'}, $wifi->{name}), $text);
    $list .= "<!--# if expr=\"\$pibake_near\" -->\n$card<!--# endif -->\n";
  }
  for my $code (@{ $node->{codes} }) {
    my $url = html($code->{url});
    my $text = qq{<h3><a href="$url">$url</a></h3>\n<p>$words->{ $code->{kind} }</p>\n};
    $list .= code_card($code->{name}, sprintf($words->{'qr-page'}, $code->{url}), $text);
  }
  return $list ne '' ? "<ul class=\"codes\">\n$list</ul>\n" : '';
}

sub reach {
  my ($node, $words) = @_;
  my @places = ((map { [$_, 'name'] } @{ $node->{names} }), map { [$_->{address}, $_->{kind}] } @{ $node->{addresses} });
  return "<p>$words->{'no-network'}</p>\n" unless @places;
  my $item = sub {
    my ($place, $kind) = @{ $_[0] };
    return sprintf qq{<li><a href="%s"><code>%s</code></a> <span>%s</span></li>\n}, html(url($place)), html($place), $words->{$kind};
  };
  return "<ul class=\"places\">\n" . join('', map { $item->($_) } @places) . "</ul>\n";
}

sub software {
  my ($node, $words) = @_;
  return '' unless $node->{mirror};
  return <<"END";
<p>$words->{'software-how'}</p>
<pre tabindex="0"><code>wget -O /etc/apt/sources.list.d/pibake.sources http://<!--# echo var="http_host" -->/mirror/pibake.sources
apt update</code></pre>
<p>$words->{'software-more'}</p>
<p class="links"><a href="/mirror/">$words->{'software-list'}</a> <a href="/mirror/pibake-archive-keyring.asc">$words->{'software-key'}</a></p>
END
}

sub trust {
  my ($node, $words) = @_;
  my $fingerprint = $node->{certificate} // return '';
  return <<"END";
<p>$words->{'trust-how'}</p>
<p>$words->{fingerprint}<br><code>$fingerprint</code></p>
<p>$words->{'trust-install'}</p>
<p class="links"><a href="/certificate.crt">$words->{'trust-get'}</a></p>
END
}

# A line of facts with a bar that shows how much is used.
sub amount {
  my ($name, $room, $words) = @_;
  return '' unless $room && $room->{size} > 0;
  my $used = int(100 * ($room->{size} - $room->{free}) / $room->{size} + .5);
  my $text = sprintf $words->{free}, size($room->{free}, $words), size($room->{size}, $words);
  my $bar = qq{<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" focusable="false"><rect width="$used" height="4"/></svg>};
  return "<dt>$name</dt>\n<dd>$text $bar</dd>\n";
}

sub about {
  my ($node, $words) = @_;
  return "<dl>\n<dt>$words->{uptime}</dt>\n<dd>" . duration($node->{uptime}, $words) . "</dd>\n"
    . amount($words->{disk}, $node->{disk}, $words)
    . amount($words->{memory}, $node->{memory}, $words)
    . "</dl>\n<p class=\"note\">$words->{'state-note'}</p>\n";
}

# The whole page. `$languages` is a list of [code, words]; `$settings` has the keeper's `title` and `welcome`.
sub render {
  my ($node, $language, $languages, $settings) = @_;
  my ($words) = map { $_->[1] } grep { $_->[0] eq $language } @$languages;
  my $title = html($settings->{title} ne '' ? $settings->{title} : $node->{host});
  my $welcome = html($settings->{welcome} ne '' ? $settings->{welcome} : $words->{welcome});
  my $host = html($node->{host});
  my $name_class = $title eq $host ? 'name same' : 'name';
  my $switch = join "\n", map {
    my ($code, $name) = ($_->[0], $_->[1]{language});
    my $current = $code eq $language ? ' aria-current="page"' : '';
    qq{<li><a href="/$code/" lang="$code" hreflang="$code"$current>$name</a></li>};
  } @$languages;
  my $drawing = drawing($node->{host});
  my $sections = section('offers', $words->{offers}, offers($node, $words, $language))
    . section('share', $words->{share}, share($node, $words))
    . section('reach', $words->{reach}, reach($node, $words))
    . section('software', $words->{software}, software($node, $words))
    . section('trust', $words->{trust}, trust($node, $words))
    . section('about', $words->{about}, about($node, $words));
  return <<"END";
<!doctype html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/portal.css">
</head>
<body>
<header>
$drawing
<nav aria-label="$words->{switch}">
<ul>
$switch
</ul>
</nav>
<div class="$name_class">
<h1>$title</h1>
<p class="host">$host</p>
<p class="welcome">$welcome</p>
</div>
</header>
<main>
$sections</main>
<footer>
<p>$words->{'made-by'} <a href="/status">$words->{status}</a></p>
</footer>
</body>
</html>
END
}

1;
