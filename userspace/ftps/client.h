/* SPDX-License-Identifier: GPL-2.0 */
/*
 * client.h - ftps put, ftps get and ftps ls
 */
#ifndef FTPS_CLIENT_H
#define FTPS_CLIENT_H

#include "options.h"
#include "status.h"

/**
 * client_run() - one transfer, from connecting to the summary line
 * @o: the options; its password is wiped once it is sent
 *
 * The dialogue: AUTH TLS (RFC 4217 s. 4) or TLS from the start, USER and PASS, PBSZ 0 and
 * PROT (s. 8, 9), TYPE, SIZE (RFC 3659 s. 4; get only), EPSV, PASV, EPRT or PORT, REST,
 * STOR, APPE, RETR, LIST, NLST or MLSD, QUIT.
 *
 * Return: the exit status. With io_stop set a signal ended it.
 */
enum xs client_run(struct options *o);

#endif
