// SPDX-License-Identifier: GPL-2.0
/*
 * What a reader sees of a RST right behind the data: a table, no judgement.
 *
 *	inbound_measure [TRIES [MODE [LOAD]]]
 *
 * MODE is that of the namespace, where the module is loaded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "lib/drst.h"
#include "lib/race.h"

/* The tries are shared out among the states. */
static void row(struct race *race, struct bed *bed, int tries)
{
	race->tries = (tries + RACE_STATES - 1) / RACE_STATES;
	for (race->state = 0; race->state < RACE_STATES; race->state++)
		race_run(race, bed);
	printf("| %s | %s | %s | %d | %d | %d | %d | %d | %d |\n",
	       race->rx ? "TX and RX" : "TX",
	       race->apart ? "one each" : "one for all",
	       race_readers[race->reader], race->tries * RACE_STATES,
	       race->early_error, race->early_hup, race->late_data, race->lost,
	       race->unknown);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int tries = argc > 1 ? atoi(argv[1]) : 100;
	int mode = argc > 2 ? atoi(argv[2]) : 0;
	int load = argc > 3 ? atoi(argv[3]) : 1;
	int i;
	struct utsname name;
	struct bed bed;

	bed_open(&bed);
	if (drst_present())
		drst_set("mode", mode);
	uname(&name);
	printf("Kernel %s, module %s, %d tries each, load %d\n\n", name.release,
	       !drst_present() ? "absent" : mode == 2 ? "mode 2" :
	       mode ? "mode 1" : "mode 0", tries, load);
	printf("| kTLS | segments | reader | tries | error before data | HUP or ERR before data | data after an error | bytes lost | no end |\n");
	printf("|---|---|---|---|---|---|---|---|---|\n");
	for (i = 0; i < 2 * 2 * RACE_READERS; i++) {
		struct race race = {
			.reader = i % RACE_READERS,
			.apart = i / RACE_READERS % 2,
			.rx = i / RACE_READERS / 2,
			.family = AF_INET, .load = load,
		};

		row(&race, &bed, tries);
	}
	bed_close(&bed);
	return 0;
}
