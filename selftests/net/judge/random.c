// SPDX-License-Identifier: GPL-2.0
#include "random.h"

#include <string.h>

void random_script(struct script *script, unsigned int seed)
{
	memset(script, 0, sizeof(*script));
	script->seed = seed;
	script_add(script, "nothing");
}
