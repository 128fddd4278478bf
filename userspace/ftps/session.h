/* SPDX-License-Identifier: GPL-2.0 */
/*
 * session.h - one client of ftps serve, from greeting to goodbye
 */
#ifndef FTPS_SESSION_H
#define FTPS_SESSION_H

#include <openssl/ssl.h>

#include "options.h"

/**
 * session_run() - talk to one client until it leaves
 * @o: the options
 * @ctx: the server's TLS context
 * @root: a descriptor of the folder to show
 * @fd: the control connection; the session's own from now on
 *
 * Commands of RFC 959 with the extensions of RFC 2228 and 4217 (AUTH TLS, PBSZ, PROT),
 * RFC 2428 (EPSV) and RFC 3659 (SIZE, MDTM). Without TLS nobody logs in, and no data
 * moves without PROT P. Each login, transfer, and change is a line on standard output.
 */
void session_run(const struct options *o, SSL_CTX *ctx, int root, int fd);

#endif
