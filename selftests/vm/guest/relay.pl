#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs the command of /run/xckpt in the guest and sends its output, and last
# its status, through one port to demux.pl on the host. One port for all of it
# keeps the order: when the status is there, so is all output.
#
# A frame is: u8 channel, u32 little-endian length, bytes.
# Channel 1: stdout. 2: stderr. 0: the status in decimal, the last frame.

use strict;
use warnings;
use IO::Select;
use POSIX qw(:sys_wait_h setsid);

my $dir = '/run/xckpt';

sub read_list {
	my ($name) = @_;
	open(my $file, '<:raw', "$dir/$name") or die "$dir/$name: $!\n";
	local $/;
	return split(/\0/, <$file> // '', -1);
}

# Lists are of strings that each end in NUL, so the last item is empty.
sub list_of {
	my @items = read_list(@_);
	pop @items;
	return @items;
}

sub open_port {
	for my $name (glob '/sys/class/virtio-ports/*/name') {
		open(my $file, '<', $name) or next;
		next unless <$file> =~ /^xckpt$/;
		my ($device) = $name =~ m{([^/]+)/name$};
		open(my $port, '+<:raw', "/dev/$device")
			or die "cannot open /dev/$device: $!\n";
		return $port;
	}
	die "cannot find the port of the host\n";
}

sub send_frame {
	my ($port, $channel, $data) = @_;
	my $frame = pack('CV', $channel, length $data) . $data;
	my $done = 0;
	while ($done < length $frame) {
		my $n = syswrite($port, $frame, length($frame) - $done, $done);
		die "cannot write to the host: $!\n" unless defined $n || $!{EINTR};
		$done += $n // 0;
	}
}

sub start_command {
	my ($out, $err) = @_;
	my @argv = list_of('command');
	@argv = ('/bin/sh', '-c', $argv[0]) if @argv == 1;
	my ($cwd) = list_of('cwd');
	my %env = map { split(/=/, $_, 2) } list_of('environment');

	my $pid = fork() // die "cannot fork: $!\n";
	return $pid if $pid;
	setsid();
	open(STDOUT, '>&', $out);
	open(STDERR, '>&', $err);
	chdir($cwd) or chdir('/root');
	%ENV = %env;
	no warnings 'exec';
	exec { $argv[0] } @argv or print STDERR "xckpt-vm: cannot run $argv[0]: $!\n";
	POSIX::_exit(127);
}

# Passes on what is there, returns whether there was anything.
sub pass_on {
	my ($select, $port, $channel_of, $wait) = @_;
	my $any = 0;
	for my $pipe ($select->can_read($wait)) {
		my $n = sysread($pipe, my $data, 65536);
		if ($n) {
			send_frame($port, $channel_of->{$pipe}, $data);
			$any = 1;
		} elsif (defined $n || !$!{EINTR}) {
			$select->remove($pipe);
		}
	}
	return $any;
}

my $port = open_port();
pipe(my $out, my $out_end) or die "pipe: $!\n";
pipe(my $err, my $err_end) or die "pipe: $!\n";
# The handler only has to interrupt select(), whose timeout is for the moment
# between waitpid() and select().
$SIG{CHLD} = sub { };
my $pid = start_command($out_end, $err_end);
close($out_end);
close($err_end);

my %channel_of = ($out => 1, $err => 2);
my $select = IO::Select->new($out, $err);
my $status;
until (defined $status) {
	$status = $? if waitpid($pid, WNOHANG) == $pid;
	next if defined $status;
	if ($select->count) {
		pass_on($select, $port, \%channel_of, 0.2);
	} else {
		waitpid($pid, 0);
		$status = $?;
	}
}
# Processes left behind may hold the pipes open for ever: take what has been
# written until now, and for a bounded time.
my $until = time + 5;
while ($select->count && time < $until) {
	pass_on($select, $port, \%channel_of, 0) or last;
}

system('sync');
my $signal = $status & 127;
send_frame($port, 0, $signal ? 128 + $signal : $status >> 8);
