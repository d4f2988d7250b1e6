#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# demux.pl STATUS-FILE
#
# The host's end of guest/relay.pl, which describes the frames: copies them
# from stdin to stdout and stderr as they come, and ends with the guest's
# status, which it writes to STATUS-FILE. No such file: the guest died first.

use strict;
use warnings;

my ($status_file) = @ARGV;

sub read_fully {
	my ($want) = @_;
	my $data = '';
	while (length $data < $want) {
		my $n = sysread(STDIN, $data, $want - length $data, length $data);
		exit 1 unless $n;
	}
	return $data;
}

sub write_fully {
	my ($handle, $data) = @_;
	my $done = 0;
	while ($done < length $data) {
		my $n = syswrite($handle, $data, length($data) - $done, $done);
		die "vm/demux.pl: cannot write the output: $!\n" unless defined $n;
		$done += $n;
	}
}

binmode($_) for (*STDIN, *STDOUT, *STDERR);
while (1) {
	my ($channel, $length) = unpack('CV', read_fully(5));
	my $data = read_fully($length);
	if ($channel == 1) {
		write_fully(*STDOUT, $data);
	} elsif ($channel == 2) {
		write_fully(*STDERR, $data);
	} else {
		open(my $file, '>', $status_file) or die "$status_file: $!\n";
		print $file "$data\n";
		close($file) or die "$status_file: $!\n";
		exit 0;
	}
}
