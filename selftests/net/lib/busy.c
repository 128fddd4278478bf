// SPDX-License-Identifier: GPL-2.0
#include "busy.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bed.h"

/* It copies what it has into a page that is not there, */
static void *read_page(void *arg)
{
	struct busy *busy = arg;

	busy->got = recv(busy->fd, busy->page, busy->len, busy->flags);
	return NULL;
}

/* or out of one. */
static void *send_page(void *arg)
{
	struct busy *busy = arg;

	busy->got = send(busy->fd, busy->page, busy->len, busy->flags);
	return NULL;
}

/* Runs @call until it waits for the page. */
static void busy_call(struct busy *busy, void *(*call)(void *arg))
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffd_msg msg;

	busy->faults = syscall(SYS_userfaultfd, O_CLOEXEC);
	MUST(busy->faults >= 0 && !ioctl(busy->faults, UFFDIO_API, &api));
	busy->page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(busy->page != MAP_FAILED);
	range.range.start = (unsigned long)busy->page;
	range.range.len = getpagesize();
	MUST(!ioctl(busy->faults, UFFDIO_REGISTER, &range));
	MUST(!pthread_create(&busy->thread, NULL, call, busy));
	MUST(read(busy->faults, &msg, sizeof(msg)) == sizeof(msg) &&
	     msg.event == UFFD_EVENT_PAGEFAULT);
}

void busy_read(struct busy *busy, int fd, size_t len, int flags)
{
	*busy = (struct busy) { .fd = fd, .len = len, .flags = flags };
	busy_call(busy, read_page);
}

void busy_send(struct busy *busy, int fd)
{
	*busy = (struct busy) { .fd = fd, .len = 1, .flags = MSG_NOSIGNAL };
	busy_call(busy, send_page);
}

void busy_begin(struct busy *busy, int fd)
{
	busy_read(busy, fd, 1, MSG_PEEK);
}

void busy_end(struct busy *busy)
{
	struct uffdio_zeropage zero = {
		.range = { (unsigned long)busy->page, getpagesize() },
	};

	MUST(!ioctl(busy->faults, UFFDIO_ZEROPAGE, &zero));
	MUST(!pthread_join(busy->thread, NULL));
	MUST(busy->got == 1 || !(busy->flags & MSG_PEEK));
	close(busy->faults);
	munmap(busy->page, getpagesize());
}
