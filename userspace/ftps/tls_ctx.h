/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tls_ctx.h - OpenSSL contexts for the two roles
 */
#ifndef FTPS_TLS_CTX_H
#define FTPS_TLS_CTX_H

#include <openssl/ssl.h>
#include <stdbool.h>

struct tls_config {
	int version;	       /* TLS1_2_VERSION or TLS1_3_VERSION alone; 0: either */
	const char *ca_file;   /* client: trusted certificates (PEM); NULL: the system's */
	bool insecure;	       /* client: take any certificate */
	const char *cert_file; /* our certificate chain (PEM); client: or NULL */
	const char *key_file;  /* the key (PEM); NULL: in cert_file */
	int data_tickets;      /* server: TLS 1.3 session tickets on a data connection */
};

/**
 * tls_ctx_client() - a context for connecting
 * @config: see above
 * @why: out: where NULL is returned, what is wrong
 *
 * Return: the context, or NULL.
 */
SSL_CTX *tls_ctx_client(const struct tls_config *config, const char **why);

/**
 * tls_ctx_server() - a context for accepting
 * @config: see above
 * @why: out: where NULL is returned, what is wrong
 *
 * A client that names protocols (ALPN) must name FTP.
 *
 * Return: the context, or NULL.
 */
SSL_CTX *tls_ctx_server(const struct tls_config *config, const char **why);

#endif
