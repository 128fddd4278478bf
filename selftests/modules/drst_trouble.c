// SPDX-License-Identifier: GPL-2.0
/* What the runner has to notice: insmod ... how=oops|bug|hang */
#include <linux/bug.h>
#include <linux/completion.h>
#include <linux/module.h>
#include <linux/string.h>

static char *how = "";
module_param(how, charp, 0);
MODULE_PARM_DESC(how, "oops, bug or hang");

static int *nowhere;
static DECLARE_COMPLETION(never);

static int __init trouble_load(void)
{
	if (!strcmp(how, "oops"))
		WRITE_ONCE(*READ_ONCE(nowhere), 1);
	if (!strcmp(how, "bug"))
		BUG();
	if (!strcmp(how, "hang"))
		wait_for_completion(&never);
	return -EINVAL;
}

module_init(trouble_load);

MODULE_DESCRIPTION("Selftests of tls_drst: a kernel that breaks");
MODULE_LICENSE("GPL");
