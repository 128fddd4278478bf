/* SPDX-License-Identifier: GPL-2.0 */
/*
 * In the place of the kernel's bpf/test_progs.h: as much of it as prog_tests/sockmap_ktls.c
 * wants, and a program around that, which says one test's result a line.
 */
#ifndef TEST_PROGS_H
#define TEST_PROGS_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <bpf/bpf.h>

#define ASSERT_OK(value, what) check(!(value))
#define ASSERT_ERR(value, what) check((value) < 0)
#define ASSERT_GE(value, least, what) check((value) >= (least))
#define PRINT_FAIL(...) check(false)

static char subtest[128];
static bool failed;

void test_sockmap_ktls(void);

static bool check(bool good)
{
	failed |= !good;
	return good;
}

static void subtest_end(void)
{
	if (*subtest)
		printf("%s %s\n", subtest, failed ? "not ok" : "ok");
	failed = false;
}

static bool test__start_subtest(const char *name)
{
	subtest_end();
	snprintf(subtest, sizeof(subtest), "%s", name);
	return true;
}

int main(void)
{
	test_sockmap_ktls();
	subtest_end();
	return 0;
}

#endif
