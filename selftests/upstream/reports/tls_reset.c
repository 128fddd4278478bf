// SPDX-License-Identifier: GPL-2.0
/*
 * A reader gets the data that has arrived before it gets the error of the RST that came
 * behind that data: as in TCP without TLS. Here data and RST arrive while a recv() has the
 * socket lock, and wait in the backlog.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <linux/sock_diag.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tls_pair.h"

#define LEN 100	/* of a record's content */

FIXTURE(tls_reset)
{
	int fd, cfd;
	int faults;	/* a userfaultfd(2) */
	char *page;	/* is not there: a recv() into it waits, with the socket lock */
};

FIXTURE_VARIANT(tls_reset)
{
	bool tls;
};

FIXTURE_VARIANT_ADD(tls_reset, tcp) { .tls = false };
FIXTURE_VARIANT_ADD(tls_reset, tls) { .tls = true };

FIXTURE_SETUP(tls_reset)
{
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	int one = 1;

	tls_pair(_metadata, &self->fd, &self->cfd);
	if (variant->tls) {
		tls_keys(_metadata, self->fd, TLS_TX);
		tls_keys(_metadata, self->cfd, TLS_RX);
		tls_keys(_metadata, self->cfd, TLS_TX);
	}
	ASSERT_EQ(0, setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));

	self->faults = syscall(SYS_userfaultfd, O_CLOEXEC);
	ASSERT_LE(0, self->faults);
	ASSERT_EQ(0, ioctl(self->faults, UFFDIO_API, &api));
	self->page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	range.range.start = (unsigned long)self->page;
	range.range.len = getpagesize();
	ASSERT_EQ(0, ioctl(self->faults, UFFDIO_REGISTER, &range));
}

FIXTURE_TEARDOWN(tls_reset)
{
	close(self->fd);
	close(self->cfd);
	close(self->faults);
}

struct reader {
	int fd;
	char *page;
	ssize_t first, second;	/* what the calls returned */
	int error;		/* of the second */
};

/*
 * The second recv() comes right behind the first: the workqueue of this CPU, in which the
 * strparser looks at what the backlog had, does not run between them.
 */
static void *read_twice(void *arg)
{
	struct sched_param fifo = { .sched_priority = 1 };
	struct reader *reader = arg;
	char data[LEN];
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu) ||
	    sched_setscheduler(0, SCHED_FIFO, &fifo))
		return NULL;
	reader->first = recv(reader->fd, reader->page, LEN, 0);
	reader->second = recv(reader->fd, data, LEN, 0);
	reader->error = errno;
	return NULL;
}

static unsigned int backlog(struct __test_metadata *_metadata, int fd)
{
	unsigned int mem[SK_MEMINFO_VARS];
	socklen_t len = sizeof(mem);

	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len));
	return mem[SK_MEMINFO_BACKLOG];
}

static void await_backlog(struct __test_metadata *_metadata, int fd, unsigned int more_than)
{
	while (backlog(_metadata, fd) <= more_than)
		poll(NULL, 0, 1);
}

static void reset(struct __test_metadata *_metadata, int *fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	ASSERT_EQ(0, setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	ASSERT_EQ(0, close(*fd));
	*fd = -1;
}

TEST_F(tls_reset, data_before_error)
{
	struct uffdio_zeropage zero = { .range.len = getpagesize() };
	struct reader reader = { .fd = self->cfd, .page = self->page };
	char data[LEN] = { };
	struct uffd_msg msg;
	unsigned int queued;
	pthread_t thread;

	ASSERT_EQ(LEN, send(self->fd, data, LEN, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_twice, &reader));
	/* The reader has the socket lock, and waits for its page. */
	ASSERT_EQ(sizeof(msg), read(self->faults, &msg, sizeof(msg)));
	ASSERT_EQ(LEN, send(self->fd, data, LEN, 0));
	await_backlog(_metadata, self->cfd, 0);
	queued = backlog(_metadata, self->cfd);
	reset(_metadata, &self->fd);
	await_backlog(_metadata, self->cfd, queued);
	zero.range.start = (unsigned long)self->page;
	ASSERT_EQ(0, ioctl(self->faults, UFFDIO_ZEROPAGE, &zero));
	ASSERT_EQ(0, pthread_join(thread, NULL));

	ASSERT_EQ(LEN, reader.first);
	EXPECT_EQ(LEN, reader.second) {
		TH_LOG("the second record had arrived before the RST: %s",
		       strerror(reader.error));
	}
	EXPECT_EQ(-1, recv(self->cfd, data, LEN, 0));
	EXPECT_EQ(ECONNRESET, errno);
}

TEST_HARNESS_MAIN
