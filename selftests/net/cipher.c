// SPDX-License-Identifier: GPL-2.0
/*
 * TLS versions and ciphers, sockets with TLS_TX alone and with TLS_RX too: what
 * a hold delivers can be decrypted by an independent implementation, and what
 * the kernel's TLS receiver holds is told from what it has handed over.
 */
#include "kselftest_harness.h"

#include "inbound.h"

SCENE_FIXTURE(cipher)

FIXTURE_VARIANT(cipher) {
	struct conn_opts opts;
};

#define CIPHER(name, _version, _cipher)					\
	FIXTURE_VARIANT_ADD(cipher, name##_tx) {			\
		{ .version = _version, .cipher = _cipher }		\
	};								\
	FIXTURE_VARIANT_ADD(cipher, name##_txrx) {			\
		{ .version = _version, .cipher = _cipher, .rx = true,	\
		  .family = AF_INET6 }					\
	};

CIPHER(tls12_aes128, TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128)
CIPHER(tls12_aes256, TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_256)
CIPHER(tls12_chacha, TLS_1_2_VERSION, TLS_CIPHER_CHACHA20_POLY1305)
CIPHER(tls13_aes128, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128)
CIPHER(tls13_aes256, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_256)
CIPHER(tls13_chacha, TLS_1_3_VERSION, TLS_CIPHER_CHACHA20_POLY1305)

/* The other way round: what is received with does not depend on the address. */
FIXTURE_VARIANT_ADD(cipher, ipv6_tx) { { .family = AF_INET6 } };
FIXTURE_VARIANT_ADD(cipher, ipv4_txrx) { { .rx = true } };

/* An unread reply, and the peer has closed its side: CLOSE_WAIT, cause A. */
static void upload_and_close(TEST_ARG, struct scene *s,
			     const struct conn_opts *opts)
{
	conn_open(&s->conn, &s->bed, opts);
	conn_upload(&s->conn, BULK);
	close_unread(_metadata, &s->conn);
}

TEST_F(cipher, vanilla)
{
	REQUIRE_MODE(0);
	upload_and_close(_metadata, &self->s, &variant->opts);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, NULL);
}

TEST_F(cipher, held)
{
	REQUIRE_MODE(1);
	upload_and_close(_metadata, &self->s, &variant->opts);
	expect_whole_rst(_metadata, &self->s);
	expect_hold(_metadata, "RstSent");
}

TEST_F(cipher, held_established)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(2);
	conn_open(c, &self->s.bed, &variant->opts);
	conn_upload(c, BULK);
	peer_reply(c);
	ASSERT_TRUE(conn_await_unread(c));
	conn_close(c);
	expect_whole_rst(_metadata, &self->s);
	expect_hold(_metadata, "RstSent");
}

/* The commonest cause C of all: the peer answers close_notify with its own. */
TEST_F(cipher, close_notify_answered)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(1);
	conn_open(c, &self->s.bed, &variant->opts);
	conn_upload(c, BULK);
	conn_close(c);
	peer_record(c, REC_ALERT, close_notify, sizeof(close_notify));
	expect_reply_taken(_metadata, &self->s);
	expect_whole_fin_rst(_metadata, &self->s);
	expect_hold(_metadata, "RstSent");
}

/* The other way: it is the peer that resets. */
static struct cell inbound_cell(const struct conn_opts *opts, int mode)
{
	return (struct cell){ mode, opts->family, opts->rx, TCP_FIN_WAIT2,
			      opts->version };
}

static void upload_and_reset(TEST_ARG, struct scene *s,
			     const struct conn_opts *opts, int mode)
{
	const struct cell cell = inbound_cell(opts, mode);

	REQUIRE_MODE(mode);
	upload_in_cell_with(_metadata, s, &s->conn, &cell, *opts);
	peer_reset(&s->conn);
	expect_by_cell(_metadata, &s->conn, &cell);
}

TEST_F(cipher, inbound_vanilla)
{
	upload_and_reset(_metadata, &self->s, &variant->opts, 0);
}

TEST_F(cipher, inbound_held)
{
	upload_and_reset(_metadata, &self->s, &variant->opts, 1);
}

/*
 * A record that is shorter than nonce and tag. kTLS refuses it, or, in front of a nonce,
 * waits for more; neither is held.
 */
TEST_F(cipher, inbound_short)
{
	const struct cell cell = inbound_cell(&variant->opts, 1);
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(1);
	open_cell_with(&self->s, c, &cell, variant->opts);
	peer_send(c, "\x17\x03\x03\0\3abc", 8);
	ASSERT_TRUE(conn_await_unread(c));
	reach(_metadata, c, TCP_FIN_WAIT2);
	peer_reset(c);
	if (!c->ktls_rx) {	/* for plain recv() it is data */
		ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
		return expect_held(_metadata, c, &cell);
	}
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE));
	expect_never_held(_metadata);
}

/* A sender that receives with kernel TLS too. */
SCENE_FIXTURE(receiver)

FIXTURE_VARIANT(receiver) {
	int mode;
	uint16_t version;
};

FIXTURE_VARIANT_ADD(receiver, tls12_mode0) { 0, TLS_1_2_VERSION };
FIXTURE_VARIANT_ADD(receiver, tls12_mode1) { 1, TLS_1_2_VERSION };
FIXTURE_VARIANT_ADD(receiver, tls12_mode2) { 2, TLS_1_2_VERSION };
FIXTURE_VARIANT_ADD(receiver, tls13_mode0) { 0, TLS_1_3_VERSION };
FIXTURE_VARIANT_ADD(receiver, tls13_mode1) { 1, TLS_1_3_VERSION };
FIXTURE_VARIANT_ADD(receiver, tls13_mode2) { 2, TLS_1_3_VERSION };

static void receiver_open(struct scene *s, uint16_t version)
{
	struct conn_opts opts = { .version = version, .rx = true };

	conn_open(&s->conn, &s->bed, &opts);
}

/* Unread in ESTABLISHED is held in mode 2 alone. */
static void expect_established_unread(TEST_ARG, struct scene *s, int mode)
{
	expect_outcome(_metadata, s, mode == 2 ? WHOLE_RST : CUT);
	expect_hold(_metadata, mode == 2 ? "RstSent" : NULL);
	if (drst_present()) {
		EXPECT_EQ(mode != 2, drst_stat("CutByMode"));
	}
}

TEST_F(receiver, all_read)
{
	struct conn *c = &self->s.conn;
	char buf[64];

	REQUIRE_MODE(variant->mode);
	receiver_open(&self->s, variant->version);
	conn_upload(c, BULK);
	peer_record(c, REC_DATA, "first", 5);
	ASSERT_EQ(5, recv(c->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, memcmp(buf, "first", 5));
	conn_close(c);
	expect_whole_fin(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
	expect_no_cuts(_metadata);
}

/* A record taken off the TCP queue is read, for TCP, even if half is left. */
TEST_F(receiver, record_half_read)
{
	struct conn *c = &self->s.conn;
	char buf[2];

	REQUIRE_MODE(variant->mode);
	receiver_open(&self->s, variant->version);
	conn_upload(c, BULK);
	peer_record(c, REC_DATA, "first", 5);
	ASSERT_EQ(2, recv(c->fd, buf, sizeof(buf), 0));
	conn_close(c);
	expect_whole_fin(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
	expect_no_cuts(_metadata);
}

TEST_F(receiver, second_record_unread)
{
	struct conn *c = &self->s.conn;
	char buf[5];

	REQUIRE_MODE(variant->mode);
	receiver_open(&self->s, variant->version);
	conn_upload(c, BULK);
	peer_record(c, REC_DATA, "first", 5);
	ASSERT_EQ(5, recv(c->fd, buf, sizeof(buf), 0));
	peer_record(c, REC_DATA, "second", 6);
	ASSERT_TRUE(WIRE_AWAIT(&self->s.wire, c->port,
			       flow->acked[SIDE_B] == c->replied));
	conn_close(c);
	expect_established_unread(_metadata, &self->s, variant->mode);
}

TEST_F(receiver, incomplete_record_unread)
{
	struct conn *c = &self->s.conn;
	const uint8_t head[] = { REC_DATA, 3, 3, 0, 100, 'x', 'y', 'z' };

	REQUIRE_MODE(variant->mode);
	receiver_open(&self->s, variant->version);
	conn_upload(c, BULK);
	peer_send(c, head, sizeof(head));
	ASSERT_TRUE(conn_await_unread(c));
	conn_close(c);
	expect_established_unread(_metadata, &self->s, variant->mode);
}

/* What a client that only uploads never reads: the server's tickets. */
TEST_F(receiver, session_ticket_unread)
{
	struct conn *c = &self->s.conn;
	uint8_t ticket[200] = { 4, 0, 0, 196 };

	REQUIRE_MODE(variant->mode);
	receiver_open(&self->s, variant->version);
	peer_record(c, REC_HANDSHAKE, ticket, sizeof(ticket));
	ASSERT_TRUE(conn_await_unread(c));
	conn_upload(c, BULK);
	conn_close(c);
	expect_established_unread(_metadata, &self->s, variant->mode);
}

TEST_HARNESS_MAIN
