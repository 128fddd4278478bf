// SPDX-License-Identifier: GPL-2.0
#include "tls_ctx.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SESSION_S (7 * 24 * 3600) /* more is not allowed (RFC 8446 s. 4.6.1) */

/* Why something failed first, and the file it is about, or NULL. Good until the next failure. */
static const char *because(const char *file, const char *otherwise)
{
	static char text[512];
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	/* Of a file that cannot be opened OpenSSL says no more than "system lib". */
	if (file && access(file, R_OK) < 0)
		snprintf(text, sizeof(text), "%s: %s", file, strerror(errno));
	else
		snprintf(text, sizeof(text), "%s%s%s", file ? file : "",
			 file ? ": not a PEM that fits: " : "", reason ? reason : otherwise);
	return text;
}

/* Our certificate and its key. Return: whether they are loaded. */
static bool load_pair(SSL_CTX *ctx, const struct tls_config *config, const char **why)
{
	const char *file = config->cert_file;

	if (SSL_CTX_use_certificate_chain_file(ctx, file) == 1) {
		file = config->key_file ? config->key_file : file;
		if (SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_PEM) == 1 &&
		    SSL_CTX_check_private_key(ctx) == 1)
			return true;
	}
	*why = because(file, "cannot load certificate and key");
	return false;
}

/* What both roles need. */
static SSL_CTX *new_ctx(const SSL_METHOD *method, const struct tls_config *config, const char **why)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx ||
	    !SSL_CTX_set_min_proto_version(ctx,
					   config->version ? config->version : TLS1_2_VERSION) ||
	    !SSL_CTX_set_max_proto_version(ctx, config->version))
		*why = because(NULL, "no TLS context");
	else if (!config->cert_file || load_pair(ctx, config, why))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

SSL_CTX *tls_ctx_client(const struct tls_config *config, const char **why)
{
	SSL_CTX *ctx = new_ctx(TLS_client_method(), config, why);

	if (!ctx || config->insecure)
		return ctx;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (config->ca_file ? SSL_CTX_load_verify_file(ctx, config->ca_file) :
			      SSL_CTX_set_default_verify_paths(ctx))
		return ctx;
	*why = because(config->ca_file, "cannot load the trusted certificates");
	SSL_CTX_free(ctx);
	return NULL;
}

/*
 * A browser that was lured here has said that it wants HTTP (ALPACA). FileZilla asks for ftp-data
 * on its data connections.
 */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *len,
			   const unsigned char *in, unsigned int in_len, void *arg)
{
	static const unsigned char ours[] = "\3ftp\10ftp-data";
	unsigned char *chosen = NULL;
	int r = SSL_select_next_proto(&chosen, len, ours, sizeof(ours) - 1, in, in_len);

	(void)ssl;
	(void)arg;
	*out = chosen;
	return r == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

SSL_CTX *tls_ctx_server(const struct tls_config *config, const char **why)
{
	/* Sessions are resumed from the control connection on data connections. */
	static const unsigned char id[] = "ftps";
	SSL_CTX *ctx = new_ctx(TLS_server_method(), config, why);

	if (!ctx)
		return NULL;
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	/* Data connections must resume for as long as a control connection lives. */
	SSL_CTX_set_timeout(ctx, SESSION_S);
	if (SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1))
		return ctx;
	*why = because(NULL, "no TLS context");
	SSL_CTX_free(ctx);
	return NULL;
}
