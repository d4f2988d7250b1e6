#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# perl.pl LINES: hashes, closures, regular expressions, sprintf, a file handle.
use strict;
use warnings;

my $lines = shift;
my ($pid, %seen) = ($$);
my $next = do {
	my $x = 1;
	sub { $x = ($x * 48271) % 2147483647 }
};

$| = 1;
open(my $table, '>', 'perl.table') or die "perl.table: $!";
for my $i (0 .. $lines - 1) {
	my $sum = 0;
	$sum = ($sum * 31 + $next->()) % 4294967296 for 1 .. 60000;
	$seen{"key$i"} = $sum / 3;
	my $text = join ',', map { sprintf '%s=%.3f', $_, $seen{$_} } sort keys %seen;
	(my $short = $text) =~ s/(\d+)\.(\d)\d*/$2.$1/g;
	print $table "$i $sum $short\n";
	print "$i $sum\n";
}
close($table) or die "perl.table: $!";
print 'pid kept ', ($pid == $$ ? 'yes' : 'no'), "\n";
print 'from outside: ', `echo shell`;
