#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# put.pl HOST USER PASSWORD FILE CA [half-close]: an upload with Perl's own Net::FTP, as its manual
# shows it. With half-close, by hand: close_notify, shutdown(SHUT_WR), close.
use strict;
use warnings;
use Net::FTP;

# Net::FTP's own, 10 KiB, makes an emulated CPU slower than the slow path.
my $block_size = 32768;

# What put() does, but for the FIN of its own before close().
sub put_and_half_close {
	my ($ftp, $file) = @_;
	open my $in, '<:raw', $file or die "$file: $!\n";
	my $data = $ftp->stor($file) or return;
	while (read $in, my $buffer, $block_size) {
		$data->write($buffer, length $buffer) or return;
	}
	$data->stop_SSL(SSL_fast_shutdown => 1);
	$data->shutdown(1);
	return $data->close;
}

my ($host, $user, $password, $file, $ca, $half_close) = @ARGV;
my $ftp = Net::FTP->new($host, Passive => 1, BlockSize => $block_size, SSL_ca_file => $ca)
	or die "connect: $@\n";
$ftp->starttls or die 'AUTH TLS: ', $ftp->message;
$ftp->login($user, $password) or die 'login: ', $ftp->message;
$ftp->prot('P') or die 'PROT P: ', $ftp->message;
$ftp->binary;
my $stored = $half_close ? put_and_half_close($ftp, $file) : $ftp->put($file);
print $ftp->code, ' ', $ftp->message;
$ftp->quit;
exit !$stored;
