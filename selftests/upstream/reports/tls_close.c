// SPDX-License-Identifier: GPL-2.0
/*
 * What send() has accepted is sent, though close() comes right behind: as TCP without
 * TLS has it. Here the sender uses TLS in software, and close() has no reason for a RST.
 */
#include "kselftest_harness.h"

#include <poll.h>
#include <stdint.h>

#include "tls_pair.h"

/* Each try shifts the end of the buffer against the records. */
#define TRIES 500

FIXTURE(tls_close)
{
	int fd, cfd;
	size_t accepted;	/* bytes of records that send() took */
	size_t received;	/* bytes of them that the peer has read */
};

/* The peer has no TLS: it counts the bytes of the records. */
FIXTURE_SETUP(tls_close)
{
	tls_pair(_metadata, &self->fd, &self->cfd);
	tls_keys(_metadata, self->fd, TLS_TX);
	self->accepted = 0;
	self->received = 0;
}

FIXTURE_TEARDOWN(tls_close)
{
	if (self->fd >= 0)
		close(self->fd);
	close(self->cfd);
}

static bool send_record(FIXTURE_DATA(tls_close) *self, size_t len, int flags)
{
	static char data[RECORD_MAX];
	ssize_t ret = send(self->fd, data, len, flags);

	if (ret > 0)
		self->accepted += ret + RECORD_OVERHEAD;
	return ret > 0;
}

static ssize_t peer_read(FIXTURE_DATA(tls_close) *self, size_t len)
{
	static char data[65536];
	ssize_t ret = recv(self->cfd, data, len < sizeof(data) ? len : sizeof(data), 0);

	if (ret > 0)
		self->received += ret;
	return ret;
}

static struct tcp_info info(struct __test_metadata *_metadata, int fd)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	ASSERT_EQ(0, getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	return info;
}

/* Bytes of records that TLS has not given to TCP yet */
static long kept(struct __test_metadata *_metadata, FIXTURE_DATA(tls_close) *self)
{
	struct tcp_info tcp = info(_metadata, self->fd);

	return (long)self->accepted - (long)(tcp.tcpi_bytes_sent -
		tcp.tcpi_bytes_retrans + tcp.tcpi_notsent_bytes);
}

/* Sends until there is no room, and nothing is in flight that would make any. */
static void fill(struct __test_metadata *_metadata, FIXTURE_DATA(tls_close) *self)
{
	size_t before;

	do {
		before = self->accepted;
		while (send_record(self, RECORD_MAX, MSG_DONTWAIT))
			;
		ASSERT_EQ(EAGAIN, errno);
		while (info(_metadata, self->fd).tcpi_unacked)
			poll(NULL, 0, 1);
	} while (self->accepted != before);
}

static void expect_all(struct __test_metadata *_metadata, FIXTURE_DATA(tls_close) *self)
{
	ssize_t ret;

	ASSERT_EQ(0, close(self->fd));
	self->fd = -1;
	do {
		ret = peer_read(self, SIZE_MAX);
	} while (ret > 0);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(self->accepted, self->received);
}

/* Without MSG_MORE, and with room: TLS keeps nothing. */
TEST_F(tls_close, nothing_kept)
{
	ASSERT_TRUE(send_record(self, 1000, 0));
	EXPECT_EQ(0, kept(_metadata, self));
	expect_all(_metadata, self);
}

TEST_F(tls_close, open_record)
{
	ASSERT_TRUE(send_record(self, 1000, MSG_MORE));
	expect_all(_metadata, self);
}

/* The last record was accepted, and not all of it found room in the socket's buffer. */
TEST_F(tls_close, full_buffer)
{
	int sndbuf = 32768, tries = 0;

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)));
	fill(_metadata, self);
	while (!kept(_metadata, self) && tries++ < TRIES) {
		ASSERT_LT(0, peer_read(self, 2048 + tries % 7 * 512));
		fill(_metadata, self);
	}
	ASSERT_LT(0, kept(_metadata, self));
	expect_all(_metadata, self);
}

TEST_HARNESS_MAIN
