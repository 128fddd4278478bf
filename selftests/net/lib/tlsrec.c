// SPDX-License-Identifier: GPL-2.0
#include "tlsrec.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/socket.h>

#include "bed.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

#define HEADER 5
#define TAG 16

const uint8_t close_notify[2] = { 1, 0 };
const uint8_t key_update[KEY_UPDATE_LEN] = { 24, 0, 0, 1, 0 };

static int is_13(const struct tls_dir *dir)
{
	return dir->version == TLS_1_3_VERSION;
}

/* AES-GCM in TLS 1.2 carries eight bytes of the nonce in each record. */
static size_t explicit_nonce(const struct tls_dir *dir)
{
	return is_13(dir) || dir->cipher == TLS_CIPHER_CHACHA20_POLY1305 ? 0 : 8;
}

size_t dir_overhead(const struct tls_dir *dir)
{
	return HEADER + explicit_nonce(dir) + is_13(dir) + TAG;
}

void dir_init(struct tls_dir *dir, uint16_t version, uint16_t cipher, int seed)
{
	size_t i;

	memset(dir, 0, sizeof(*dir));
	dir->version = version;
	dir->cipher = cipher;
	for (i = 0; i < sizeof(dir->key); i++)
		dir->key[i] = seed + 7 * i;
	for (i = 0; i < sizeof(dir->iv); i++)
		dir->iv[i] = seed + 11 * i + 1;
}

void dir_update(struct tls_dir *dir)
{
	dir_init(dir, dir->version, dir->cipher, dir->key[0] + 1);
}

static void put_be64(uint8_t *out, uint64_t val)
{
	int i;

	for (i = 0; i < 8; i++)
		out[i] = val >> (56 - 8 * i);
}

#define FILL(ci)						\
	do {							\
		(ci).info.version = dir->version;		\
		(ci).info.cipher_type = dir->cipher;		\
		memcpy((ci).key, dir->key, sizeof((ci).key));	\
		put_be64((ci).rec_seq, dir->seq);		\
	} while (0)

#define FILL_GCM(ci)						\
	do {							\
		FILL(ci);					\
		memcpy((ci).salt, dir->iv, 4);			\
		memcpy((ci).iv, dir->iv + 4, 8);		\
	} while (0)

int dir_install(const struct tls_dir *dir, int fd, int optname)
{
	union {
		struct tls12_crypto_info_aes_gcm_128 gcm128;
		struct tls12_crypto_info_aes_gcm_256 gcm256;
		struct tls12_crypto_info_chacha20_poly1305 chacha;
	} ci = {};
	socklen_t len;

	switch (dir->cipher) {
	case TLS_CIPHER_AES_GCM_128:
		FILL_GCM(ci.gcm128);
		len = sizeof(ci.gcm128);
		break;
	case TLS_CIPHER_AES_GCM_256:
		FILL_GCM(ci.gcm256);
		len = sizeof(ci.gcm256);
		break;
	default:
		FILL(ci.chacha);
		memcpy(ci.chacha.iv, dir->iv, sizeof(ci.chacha.iv));
		len = sizeof(ci.chacha);
	}
	return setsockopt(fd, SOL_TLS, optname, &ci, len) ? -errno : 0;
}

static const EVP_CIPHER *evp(const struct tls_dir *dir)
{
	switch (dir->cipher) {
	case TLS_CIPHER_AES_GCM_128:
		return EVP_aes_128_gcm();
	case TLS_CIPHER_AES_GCM_256:
		return EVP_aes_256_gcm();
	default:
		return EVP_chacha20_poly1305();
	}
}

/* The explicit part of the nonce is the record's; else it is IV xor number. */
static void nonce(const struct tls_dir *dir, const uint8_t *explicit_part,
		  uint8_t *out)
{
	uint8_t seq[8];
	int i;

	memcpy(out, dir->iv, 12);
	if (explicit_nonce(dir)) {
		memcpy(out + 4, explicit_part, 8);
		return;
	}
	put_be64(seq, dir->seq);
	for (i = 0; i < 8; i++)
		out[4 + i] ^= seq[i];
}

/* Additional data: the header in 1.3; number, type, version, length in 1.2. */
static int aad(const struct tls_dir *dir, const uint8_t *rec, size_t len,
	       uint8_t *out)
{
	if (is_13(dir)) {
		memcpy(out, rec, HEADER);
		return HEADER;
	}
	put_be64(out, dir->seq);
	memcpy(out + 8, rec, 3);
	out[11] = len >> 8;
	out[12] = len;
	return 13;
}

/* One AEAD operation in place; 0, or -1 if the tag is wrong. */
static int aead(const struct tls_dir *dir, int enc, uint8_t *rec, uint8_t *text,
		size_t len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t iv[12], ad[13];
	int n, ret = 0;

	nonce(dir, rec + HEADER, iv);
	MUST(EVP_CipherInit_ex(ctx, evp(dir), NULL, dir->key, iv, enc));
	if (!enc)
		MUST(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG,
					 text + len));
	MUST(EVP_CipherUpdate(ctx, NULL, &n, ad, aad(dir, rec, len, ad)));
	MUST(EVP_CipherUpdate(ctx, text, &n, text, len));
	if (!EVP_CipherFinal_ex(ctx, text + len, &n))
		ret = -1;
	else if (enc)
		MUST(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG,
					 text + len));
	EVP_CIPHER_CTX_free(ctx);
	return ret;
}

size_t rec_seal(struct tls_dir *dir, uint8_t type, const void *plain,
		size_t len, uint8_t *out)
{
	size_t skip = explicit_nonce(dir);
	size_t body = skip + len + is_13(dir) + TAG;
	uint8_t *text = out + HEADER + skip;

	out[0] = is_13(dir) ? REC_DATA : type;
	out[1] = 3;
	out[2] = 3;
	out[3] = body >> 8;
	out[4] = body;
	if (skip)
		put_be64(out + HEADER, dir->seq);
	memcpy(text, plain, len);
	if (is_13(dir))
		text[len++] = type;
	MUST(aead(dir, 1, out, text, len) == 0);
	dir->seq++;
	return HEADER + body;
}

int rec_open(struct tls_dir *dir, const uint8_t *rec, size_t len,
	     uint8_t *plain, uint8_t *type)
{
	size_t skip = explicit_nonce(dir);
	uint8_t copy[REC_MAX + 256];
	int text;

	if (len < dir_overhead(dir) || len > sizeof(copy))
		return -1;
	memcpy(copy, rec, len);
	text = len - HEADER - skip - TAG;
	if (aead(dir, 0, copy, copy + HEADER + skip, text))
		return -1;
	dir->seq++;
	*type = copy[0];
	if (is_13(dir)) {
		while (text > 0 && !copy[HEADER + text - 1])
			text--;		/* padding */
		if (!text)
			return -1;
		*type = copy[HEADER + --text];
	}
	memcpy(plain, copy + HEADER + skip, text);
	return text;
}
