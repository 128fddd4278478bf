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

static void row(struct race *race, struct bed *bed)
{
	race_run(race, bed);
	printf("| %s | %s | %s | %d | %d | %d | %d | %d | %d |\n",
	       race->rx ? "TX and RX" : "TX", race_states[race->state],
	       race_readers[race->reader], race->tries, race->early_error,
	       race->early_hup, race->late_data, race->lost, race->unknown);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int tries = argc > 1 ? atoi(argv[1]) : 100;
	int mode = argc > 2 ? atoi(argv[2]) : 0;
	int load = argc > 3 ? atoi(argv[3]) : 1;
	int reader, state, rx;
	struct utsname name;
	struct bed bed;

	bed_open(&bed);
	if (drst_present())
		drst_set("mode", mode);
	uname(&name);
	printf("Kernel %s, module %s, %d tries each, load %d\n\n", name.release,
	       !drst_present() ? "absent" : mode == 2 ? "mode 2" :
	       mode ? "mode 1" : "mode 0", tries, load);
	printf("| kTLS | state | reader | tries | error before data | HUP or ERR before data | data after an error | bytes lost | no end |\n");
	printf("|---|---|---|---|---|---|---|---|---|\n");
	for (rx = 0; rx < 2; rx++)
		for (state = 0; state < RACE_STATES; state++)
			for (reader = 0; reader < RACE_READERS; reader++) {
				struct race race = {
					.reader = reader, .state = state,
					.rx = rx, .family = AF_INET,
					.load = load, .tries = tries,
				};

				row(&race, &bed);
			}
	bed_close(&bed);
	return 0;
}
