// SPDX-License-Identifier: GPL-2.0
/*
 * A RST right behind the data, many times: no data after an error, and no error
 * before the data. RACE_TRIES says how many times for each reader, RACE_LOAD how
 * many processes keep the CPUs busy; vanilla's own numbers are what
 * inbound_measure shows.
 */
#include "kselftest_harness.h"

#include "lib/race.h"
#include "lib/scene.h"

SCENE_FIXTURE(race)

FIXTURE_VARIANT(race) {
	int mode;
	bool rx;
};

FIXTURE_VARIANT_ADD(race, mode1_tx) { 1, false };
FIXTURE_VARIANT_ADD(race, mode1_txrx) { 1, true };
FIXTURE_VARIANT_ADD(race, mode2_tx) { 2, false };
FIXTURE_VARIANT_ADD(race, mode2_txrx) { 2, true };

/* The tries are shared out among the states, the shapes and the families. */
static void race_all(struct race *race, struct bed *bed, int mode)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int first = mode == 2 ? RACE_ESTABLISHED : RACE_CLOSE_WAIT;
	int parts = (RACE_STATES - first) * 2 * 2;
	int family;

	race->tries = (env_number("RACE_TRIES", 48) + parts - 1) / parts;
	for (race->state = first; race->state < RACE_STATES; race->state++) {
		for (family = 0; family < 2; family++) {
			race->family = families[family];
			race->apart = false;
			race_run(race, bed);
			race->apart = true;
			race_run(race, bed);
		}
	}
}

static void expect_in_order(TEST_ARG, struct scene *s,
			    const FIXTURE_VARIANT(race) *variant,
			    enum race_reader reader)
{
	struct race race = {
		.reader = reader, .rx = variant->rx,
		.load = env_number("RACE_LOAD", 1),
	};

	REQUIRE_MODE(variant->mode);
	race_all(&race, &s->bed, variant->mode);
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

#define READER(name, reader)						\
	TEST_F_TIMEOUT(race, name, 3600)				\
	{								\
		expect_in_order(_metadata, &self->s, variant, reader);	\
	}

READER(recv, READ_RECV)
READER(pieces, READ_PIECES)
READER(poll, READ_POLL)
READER(epoll_level, READ_EPOLL_LT)
READER(epoll_edge, READ_EPOLL_ET)
READER(late, READ_LATE)

TEST_HARNESS_MAIN
