/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TLS records made and opened with libcrypto, so that what the kernel's TLS
 * puts on the wire is judged by somebody else.
 */
#ifndef SELFTESTS_TLSREC_H
#define SELFTESTS_TLSREC_H

#include <linux/tls.h>
#include <stddef.h>
#include <stdint.h>

#define REC_ALERT 21
#define REC_HANDSHAKE 22
#define REC_DATA 23

#define REC_MAX_PLAIN 16384
#define REC_MAX (REC_MAX_PLAIN + 64)

extern const uint8_t close_notify[2];

/* A record of REC_HANDSHAKE: what follows is made with the next key. */
#define KEY_UPDATE_LEN 5
extern const uint8_t key_update[KEY_UPDATE_LEN];

/* One direction of a TLS connection. */
struct tls_dir {
	uint16_t version;	/* TLS_1_2_VERSION, TLS_1_3_VERSION */
	uint16_t cipher;	/* TLS_CIPHER_... */
	uint8_t key[32];
	uint8_t iv[12];		/* salt and IV, or the whole of it */
	uint64_t seq;		/* of the next record */
};

void dir_init(struct tls_dir *dir, uint16_t version, uint16_t cipher, int seed);

/* Moves on to the next key. */
void dir_update(struct tls_dir *dir);

/* Gives the keys to the kernel: @optname is TLS_TX or TLS_RX; 0 or -errno. */
int dir_install(const struct tls_dir *dir, int fd, int optname);

/* What a record of @dir is longer than its content. */
size_t dir_overhead(const struct tls_dir *dir);

/* Makes one record; returns its length. @out has room for REC_MAX. */
size_t rec_seal(struct tls_dir *dir, uint8_t type, const void *plain,
		size_t len, uint8_t *out);

/* Opens one record of @len bytes; returns the content's length or -1. */
int rec_open(struct tls_dir *dir, const uint8_t *rec, size_t len,
	     uint8_t *plain, uint8_t *type);

#endif
