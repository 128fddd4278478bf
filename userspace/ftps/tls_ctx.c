// SPDX-License-Identifier: GPL-2.0
#include "tls_ctx.h"

#include <openssl/err.h>

static const char *openssl_says(const char *otherwise)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	return reason ? reason : otherwise;
}

static bool set_versions(SSL_CTX *ctx, int version)
{
	int min = version ? version : TLS1_2_VERSION;

	return SSL_CTX_set_min_proto_version(ctx, min) &&
	       SSL_CTX_set_max_proto_version(ctx, version);
}

SSL_CTX *tls_ctx_client(const struct tls_config *config, const char **why)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	bool ok;

	if (!ctx || !set_versions(ctx, config->version)) {
		*why = openssl_says("no TLS context");
		SSL_CTX_free(ctx);
		return NULL;
	}
	if (config->insecure)
		return ctx;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	ok = config->ca_file ? SSL_CTX_load_verify_file(ctx, config->ca_file) :
			       SSL_CTX_set_default_verify_paths(ctx);
	if (ok)
		return ctx;
	*why = openssl_says("cannot load the trusted certificates");
	SSL_CTX_free(ctx);
	return NULL;
}

SSL_CTX *tls_ctx_server(const struct tls_config *config, const char **why)
{
	/* Sessions are resumed from the control connection on data connections. */
	static const unsigned char id[] = "ftps";
	const char *key = config->key_file ? config->key_file : config->cert_file;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx && set_versions(ctx, config->version) &&
	    SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1) &&
	    SSL_CTX_use_certificate_chain_file(ctx, config->cert_file) == 1 &&
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1)
		return ctx;
	*why = openssl_says("cannot load certificate and key");
	SSL_CTX_free(ctx);
	return NULL;
}
