/* SPDX-License-Identifier: GPL-2.0 */
/* Two connected TCP sockets on the loopback, and keys for kernel TLS. */
#ifndef TLS_PAIR_H
#define TLS_PAIR_H

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD_MAX	16384	/* of plaintext */
#define RECORD_OVERHEAD	29	/* TLS 1.2, AES-GCM: header, nonce, tag */

/* Both have the ULP and no keys. */
static void tls_pair(struct __test_metadata *_metadata, int *fd, int *cfd)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int sfd;

	*fd = socket(AF_INET, SOCK_STREAM, 0);
	sfd = socket(AF_INET, SOCK_STREAM, 0);
	ASSERT_EQ(0, bind(sfd, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(sfd, 1));
	ASSERT_EQ(0, getsockname(sfd, (struct sockaddr *)&addr, &len));
	ASSERT_EQ(0, connect(*fd, (struct sockaddr *)&addr, sizeof(addr)));
	*cfd = accept(sfd, NULL, NULL);
	ASSERT_LE(0, *cfd);
	close(sfd);

	ASSERT_EQ(0, setsockopt(*fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")));
	ASSERT_EQ(0, setsockopt(*cfd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")));
}

static void tls_keys(struct __test_metadata *_metadata, int fd, int direction)
{
	struct tls12_crypto_info_aes_gcm_128 keys = {
		.info.version = TLS_1_2_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};

	ASSERT_EQ(0, setsockopt(fd, SOL_TLS, direction, &keys, sizeof(keys)));
}

#endif
