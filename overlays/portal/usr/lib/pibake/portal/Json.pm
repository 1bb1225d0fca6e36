package Json;
# A reader and a writer of JSON (RFC 8259), since perl-base has none. Text is UTF-8 bytes; true, false and null become 1, '' and undef.
use strict;
use warnings;

my %plain = (b => "\b", f => "\f", n => "\n", r => "\r", t => "\t");

sub decode {
  my ($text) = @_;
  my $value = parse_value(\$text);
  $text =~ /\G\s*\z/gc or die 'unexpected text at ' . (pos($text) // 0) . "\n";
  return $value;
}

# Text as a JSON string.
sub quote {
  my ($text) = @_;
  $text =~ s/([\\"])/\\$1/g;
  $text =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ge;
  return "\"$text\"";
}

sub utf8_bytes { my $text = chr shift; utf8::encode($text); return $text }

sub parse_string {
  my ($text) = @_;
  $$text =~ /\G"((?:[^"\\]|\\.)*)"/gc or die "string expected\n";
  my $value = $1;
  $value =~ s{\\u([dD][89abAB]..)\\u([dD][c-fC-F]..)}{utf8_bytes(0x10000 + ((hex($1) - 0xD800) << 10) + hex($2) - 0xDC00)}ge;
  $value =~ s{\\(?:u([0-9a-fA-F]{4})|(.))}{defined $1 ? utf8_bytes(hex $1) : $plain{$2} // $2}ge;
  return $value;
}

sub parse_value {
  my ($text) = @_;
  $$text =~ /\G\s+/gc;
  return parse_string($text) if $$text =~ /\G(?=")/gc;
  if ($$text =~ /\G\{\s*/gc) {
    my %object;
    until ($$text =~ /\G\s*\}/gc) {
      $$text =~ /\G\s*,?\s*/gc;
      my $key = parse_string($text);
      $$text =~ /\G\s*:/gc or die "colon expected\n";
      $object{$key} = parse_value($text);
    }
    return \%object;
  }
  if ($$text =~ /\G\[\s*/gc) {
    my @list;
    until ($$text =~ /\G\s*\]/gc) {
      $$text =~ /\G\s*,?\s*/gc;
      push @list, parse_value($text);
    }
    return \@list;
  }
  return $1 if $$text =~ /\G(-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)/gc;
  return { true => 1, false => '', null => undef }->{$1} if $$text =~ /\G(true|false|null)/gc;
  die 'unexpected text at ' . (pos($$text) // 0) . "\n";
}

1;
