// SPDX-License-Identifier: GPL-2.0
/*
 * A RST right behind the data, many times: no data after an error, and no error
 * before the data. RACE_TRIES says how many times; vanilla's own numbers are
 * what inbound_measure shows.
 */
#include "kselftest_harness.h"

#include "lib/race.h"
#include "lib/scene.h"

SCENE_FIXTURE(race)

FIXTURE_VARIANT(race) {
	int mode;
	enum race_state state;
	bool rx;
};

FIXTURE_VARIANT_ADD(race, mode1_CLOSE_WAIT_tx) { 1, RACE_CLOSE_WAIT, false };
FIXTURE_VARIANT_ADD(race, mode1_CLOSE_WAIT_txrx) { 1, RACE_CLOSE_WAIT, true };
FIXTURE_VARIANT_ADD(race, mode1_FIN_WAIT2_tx) { 1, RACE_FIN_WAIT2, false };
FIXTURE_VARIANT_ADD(race, mode1_FIN_WAIT2_txrx) { 1, RACE_FIN_WAIT2, true };
FIXTURE_VARIANT_ADD(race, mode2_ESTABLISHED_tx) { 2, RACE_ESTABLISHED, false };
FIXTURE_VARIANT_ADD(race, mode2_ESTABLISHED_txrx) {
	2, RACE_ESTABLISHED, true };

static int tries(void)
{
	const char *text = getenv("RACE_TRIES");

	return text ? atoi(text) : 25;
}

static void expect_in_order(TEST_ARG, struct scene *s,
			    const FIXTURE_VARIANT(race) *variant,
			    enum race_reader reader, int family)
{
	struct race race = {
		.reader = reader, .state = variant->state, .rx = variant->rx,
		.family = family, .load = 1, .tries = tries(),
	};

	REQUIRE_MODE(variant->mode);
	race_run(&race, &s->bed);
	EXPECT_EQ(0, race.early_error);
	EXPECT_EQ(0, race.early_hup);
	EXPECT_EQ(0, race.late_data);
	EXPECT_EQ(0, race.lost);
	EXPECT_EQ(0, race.unknown);
	EXPECT_EQ(0, drst_stat("CurrInHeld"));
	EXPECT_EQ(drst_stat("InHeld"), drst_stat("InDelivered"));
	/* The others may have read everything before the RST is looked at. */
	if (reader == READ_LATE)
		EXPECT_LT(0, drst_stat("InHeld"));
}

#define READER(name, reader, family)					\
	TEST_F(race, name)						\
	{								\
		expect_in_order(_metadata, &self->s, variant, reader,	\
				family);				\
	}

READER(recv, READ_RECV, AF_INET)
READER(recv_ipv6, READ_RECV, AF_INET6)
READER(pieces, READ_PIECES, AF_INET)
READER(poll, READ_POLL, AF_INET)
READER(epoll_level, READ_EPOLL_LT, AF_INET)
READER(epoll_edge, READ_EPOLL_ET, AF_INET)
READER(late, READ_LATE, AF_INET)
READER(late_ipv6, READ_LATE, AF_INET6)

TEST_HARNESS_MAIN
