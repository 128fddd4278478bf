#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# put.pl HOST USER PASSWORD FILE CA: an upload with Perl's own Net::FTP, as its manual shows it.
use strict;
use warnings;
use Net::FTP;

my ($host, $user, $password, $file, $ca) = @ARGV;
my $ftp = Net::FTP->new($host, Passive => 1, SSL_ca_file => $ca) or die "connect: $@\n";
$ftp->starttls or die 'AUTH TLS: ', $ftp->message;
$ftp->login($user, $password) or die 'login: ', $ftp->message;
$ftp->prot('P') or die 'PROT P: ', $ftp->message;
$ftp->binary;
my $stored = $ftp->put($file);
print $ftp->code, ' ', $ftp->message;
$ftp->quit;
exit !$stored;
