package File;
# Small files, whole.
use strict;
use warnings;

# Its bytes, or undef when it cannot be read.
sub read {
  my ($path) = @_;
  open my $file, '<:raw', $path or return undef;
  local $/;
  return scalar <$file>;
}

# Complete or not at all, and untouched when nothing changed.
sub write {
  my ($path, $content) = @_;
  return if (File::read($path) // '') eq $content;
  open my $file, '>:raw', "$path.new" or die "$path.new: $!\n";
  print {$file} $content or die "$path.new: $!\n";
  close $file or die "$path.new: $!\n";
  rename "$path.new", $path or die "$path: $!\n";
}

# What a command prints, '' when it cannot be run; `$input` is given to it.
sub output_of {
  my ($input, @command) = @_;
  pipe my $from, my $to or die "pipe: $!\n";
  my $child = open(my $pipe, '-|') // die "fork: $!\n";
  if (!$child) {
    close $to;
    open STDIN, '<&', $from or exit 127;
    no warnings 'exec';
    exec { $command[0] } @command or exit 127;
  }
  close $from;
  local $SIG{PIPE} = 'IGNORE';
  print {$to} $input;
  close $to;
  local $/;
  my $answer = <$pipe> // '';
  close $pipe;
  return $answer;
}

1;
