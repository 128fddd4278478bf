// SPDX-License-Identifier: GPL-2.0
/*
 * The ways to end a TLS connection, doing the same job in turn, with OpenSSL on
 * both sides and kernel TLS at the sender's:
 *
 *	rivals MIB TIMES SHORT [WAY...]
 *
 * The job is MIB MiB in the send queue, a peer that reads slowly, session tickets
 * that nobody has read, and one more that comes when half is delivered; and SHORT
 * short connections. nginx, which is a server, has requests instead of tickets,
 * which come too late to be read. The working directory has cert.pem, key.pem and
 * nginx.conf.
 *
 * Prints lines of WAY KEY VALUE, times in milliseconds:
 *
 *	delivered, killed	percent of the content that the peer got; of a
 *				program that was killed while it was at it
 *	notified		1 if it got the close_notify, too
 *	blocked			how long the process did nothing else; nginx does
 *	descriptor		how long it had the descriptor
 *	freed			until the kernel had freed the connection
 *	short_whole		percent of the short connections that came whole
 *	short_ms		the time for each
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bed.h"
#include "drst.h"

#define RECORD 16384
#define READER_MS 4		/* the slow reader takes a record in so long */
#define SHORT_LEN 16384
#define KILL_MS 20
#define ADDR_A "192.0.2.1"
#define ADDR_B "192.0.2.2"

static struct bed bed;
static SSL_CTX *client_ctx, *server_ctx;

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

/* ---- the ways: all say close_notify first ---- */

static void end_plain(SSL *ssl, int fd)
{
	SSL_shutdown(ssl);
	close(fd);
}

static void end_linger(SSL *ssl, int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 60 };

	SSL_shutdown(ssl);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

/* As nginx's lingering_close: shut down, read until the peer closes, close. */
static void end_lingering(SSL *ssl, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[4096];

	SSL_shutdown(ssl);
	shutdown(fd, SHUT_WR);
	while (poll(&p, 1, 30000) > 0 && recv(fd, buf, sizeof(buf), 0) > 0)
		;
	close(fd);
}

/* Both directions are closed in TLS, as SSL_shutdown(3) wants it. */
static void end_two_way(SSL *ssl, int fd)
{
	char buf[4096];

	if (!SSL_shutdown(ssl))
		while (SSL_read(ssl, buf, sizeof(buf)) > 0)
			;
	close(fd);
}

static const struct way {
	const char *name;
	void (*end)(SSL *ssl, int fd);	/* NULL: nginx */
	int mode;			/* of the module */
} ways[] = {
	{ "close", end_plain, 0 },
	{ "SO_LINGER", end_linger, 0 },
	{ "lingering_close", end_lingering, 0 },
	{ "two_way_shutdown", end_two_way, 0 },
	{ "nginx", NULL, 0 },
	{ "tls_drst", end_plain, 2 },
};

static void report(const struct way *way, const char *key, double value)
{
	printf("%s %s %.3f\n", way->name, key, value);
	fflush(stdout);
}

/* ---- both sides ---- */

static SSL *tls_of(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);

	MUST(ssl && SSL_set_fd(ssl, fd));
	return ssl;
}

static struct sockaddr_in addr_of(const char *text)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(PEER_PORT),
	};

	MUST(inet_pton(AF_INET, text, &addr.sin_addr) == 1);
	return addr;
}

static int connect_to(const char *text, int option, int bytes)
{
	struct sockaddr_in addr = addr_of(text);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(fd >= 0);
	MUST(!setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof(bytes)));
	/* nginx may not listen yet */
	MUST(EVENTUALLY(!connect(fd, (struct sockaddr *)&addr, sizeof(addr))));
	return fd;
}

struct got {
	size_t plain;
	bool notified;
};

static const struct got nothing;

static const char request[] =
	"GET /%s HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";

/* What a peer says that is not waited for; it may be too late. */
static void talk(SSL *ssl)
{
	if (!SSL_is_server(ssl))
		SSL_write(ssl, request, strlen(request));
	else if (SSL_new_session_ticket(ssl))
		SSL_do_handshake(ssl);
}

/*
 * Reads to the end of what comes, slowly if @talk_at is set, says something when
 * it has read so many bytes, goodbye in the end, and closes.
 */
static struct got read_all(SSL *ssl, int fd, size_t talk_at)
{
	struct got got = nothing;
	double due = now_ms();
	char buf[RECORD];
	int ret;

	while ((ret = SSL_read(ssl, buf, sizeof(buf))) > 0) {
		got.plain += ret;
		if (!talk_at)
			continue;
		due += READER_MS;
		if (due > now_ms())
			pause_ms(due - now_ms());
		if (got.plain >= talk_at && got.plain - ret < talk_at)
			talk(ssl);
	}
	got.notified = SSL_get_error(ssl, ret) == SSL_ERROR_ZERO_RETURN;
	SSL_shutdown(ssl);
	SSL_free(ssl);
	ERR_clear_error();
	close(fd);
	return got;
}

/* Processes tell each other times; some only that it is time. */
static void tell(int fd, double value)
{
	MUST(write(fd, &value, sizeof(value)) == sizeof(value));
}

static double hear(int fd)
{
	double value;

	MUST(read(fd, &value, sizeof(value)) == sizeof(value));
	return value;
}

/* ---- the peer of a program of ours: a server, which sends the tickets ---- */

static int peer_listen(void)
{
	struct sockaddr_in addr = addr_of(ADDR_B);
	int on = 1, bytes = 65536, fd;

	bed_enter(&bed, SIDE_B);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(fd >= 0);
	MUST(!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	MUST(!setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)));
	MUST(!bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	MUST(!listen(fd, 1024));
	bed_enter(&bed, SIDE_A);
	return fd;
}

static struct got peer_serve(int listener, int go, size_t talk_at)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	SSL *ssl = tls_of(server_ctx, fd);

	MUST(fd >= 0);
	MUST(SSL_accept(ssl) == 1);
	if (go >= 0)
		hear(go);
	return read_all(ssl, fd, talk_at);
}

/* ---- the program ---- */

static SSL *program_open(int *fd)
{
	int unread;
	SSL *ssl;

	*fd = connect_to(ADDR_B, SO_SNDBUFFORCE, 32 << 20);
	ssl = tls_of(client_ctx, *fd);
	MUST(SSL_connect(ssl) == 1);
	MUST(BIO_get_ktls_send(SSL_get_wbio(ssl)));
	/* the tickets */
	MUST(EVENTUALLY(!ioctl(*fd, FIONREAD, &unread) && unread > 0));
	return ssl;
}

static void program_send(SSL *ssl, size_t len)
{
	static char content[RECORD];

	for (; len; len -= RECORD)
		MUST(SSL_write(ssl, content, RECORD) == RECORD);
}

/* A child, which goes when its parent does. */
static pid_t spawn(void)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* Tells when everything is in the send queue, and when it is through. */
static pid_t program_start(const struct way *way, size_t len, int told)
{
	pid_t pid = spawn();
	SSL *ssl;
	int fd;

	if (pid)
		return pid;
	ssl = program_open(&fd);
	program_send(ssl, len);
	tell(told, now_ms());
	way->end(ssl, fd);
	tell(told, now_ms());
	_exit(0);
}

/* Connections of the sender's namespace, without those in TIME_WAIT */
static int connections(void)
{
	return net_number("sockstat", "TCP: inuse ");
}

/* The connection is freed; that takes as long as it takes. */
static void await_connections(int left)
{
	while (connections() > left)
		pause_ms(1);
}

/* The peer reads nothing before all is in the send queue. */
static pid_t peer_start(int listener, size_t len, int go, int result)
{
	pid_t pid = spawn();
	struct got got;

	if (pid)
		return pid;
	got = peer_serve(listener, go, len / 2);
	MUST(write(result, &got, sizeof(got)) == sizeof(got));
	_exit(0);
}

static void wait_for(pid_t pid)
{
	MUST(waitpid(pid, NULL, 0) == pid);
}

static void judge(const struct way *way, const struct got *got, size_t len,
		  bool killed)
{
	report(way, killed ? "killed" : "delivered", got->plain * 100.0 / len);
	if (!killed)
		report(way, "notified", got->notified);
}

static void pipes_open(int *told, int *go, int *result)
{
	MUST(!pipe2(told, O_CLOEXEC) && !pipe2(go, O_CLOEXEC) &&
	     !pipe2(result, O_CLOEXEC));
}

static void pipes_close(const int *told, const int *go, const int *result)
{
	int i;

	for (i = 0; i < 2; i++) {
		close(told[i]);
		close(go[i]);
		close(result[i]);
	}
}

static void one_big(const struct way *way, size_t len, bool killed)
{
	int told[2], go[2], result[2], listener = peer_listen();
	double began, freed, ended;
	pid_t program, peer;
	struct got got;

	pipes_open(told, go, result);
	peer = peer_start(listener, len, go[0], result[1]);
	program = program_start(way, len, told[1]);
	began = hear(told[0]);
	tell(go[1], 0);
	if (killed) {
		pause_ms(KILL_MS);
		kill(program, SIGKILL);
	}
	await_connections(0);
	freed = now_ms();
	MUST(read(result[0], &got, sizeof(got)) == sizeof(got));
	judge(way, &got, len, killed);
	if (!killed) {
		ended = hear(told[0]);
		report(way, "freed", freed - began);
		report(way, "blocked", ended - began);
		report(way, "descriptor", ended - began);
	}
	wait_for(program);
	wait_for(peer);
	close(listener);
	pipes_close(told, go, result);
}

static void many_short(const struct way *way, int times)
{
	int listener = peer_listen(), result[2], fd, i, whole = 0;
	double start = now_ms();
	struct got got;
	pid_t peer;
	SSL *ssl;

	MUST(!pipe2(result, O_CLOEXEC));
	peer = spawn();
	if (!peer) {
		for (i = 0; i < times; i++) {
			got = peer_serve(listener, -1, 0);
			whole += got.plain == SHORT_LEN && got.notified;
		}
		MUST(write(result[1], &whole, sizeof(whole)) > 0);
		_exit(0);
	}
	for (i = 0; i < times; i++) {
		ssl = program_open(&fd);
		program_send(ssl, SHORT_LEN);
		way->end(ssl, fd);
		SSL_free(ssl);
		ERR_clear_error();
	}
	MUST(read(result[0], &whole, sizeof(whole)) == sizeof(whole));
	report(way, "short_whole", whole * 100.0 / times);
	report(way, "short_ms", (now_ms() - start) / times);
	wait_for(peer);
	close(listener);
	close(result[0]);
	close(result[1]);
}

/* ---- nginx: here the peer is the client ---- */

static pid_t nginx_start(void)
{
	char dir[256];
	pid_t pid;

	MUST(getcwd(dir, sizeof(dir)));
	pid = spawn();
	if (!pid) {
		execl("/usr/sbin/nginx", "nginx", "-p", dir, "-c", "nginx.conf",
		      NULL);
		FATAL("nginx");
	}
	/* That it listens, without a connection for it to get rid of. */
	MUST(EVENTUALLY(connections() == 1));
	return pid;
}

/* Does nginx have a socket beside the one that listens? */
static bool nginx_has_connection(pid_t pid)
{
	char path[300], link[64];
	struct dirent *entry;
	int sockets = 0;
	ssize_t len;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	MUST(dir);
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, entry->d_name);
		len = readlink(path, link, sizeof(link) - 1);
		sockets += len > 7 && !memcmp(link, "socket:", 7);
	}
	closedir(dir);
	return sockets > 1;
}

/* What is in the send queues of the sender's namespace, in bytes */
static size_t send_queue(void)
{
	FILE *file = fopen("/proc/thread-self/net/tcp", "r");
	size_t all = 0, queued;
	char line[256];

	MUST(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " %*d: %*s %*s %*s %zx:", &queued) == 1)
			all += queued;
	fclose(file);
	return all;
}

/* What a client gets of a file; the head of the answer is not it. */
static struct got nginx_get(const char *file, int go, size_t talk_at)
{
	struct got got, rest;
	char buf[RECORD];
	char *body;
	int fd, ret;
	SSL *ssl;

	bed_enter(&bed, SIDE_B);
	fd = connect_to(ADDR_A, SO_RCVBUF, 65536);
	bed_enter(&bed, SIDE_A);
	ssl = tls_of(client_ctx, fd);
	MUST(SSL_connect(ssl) == 1);
	snprintf(buf, sizeof(buf), request, file);
	MUST(SSL_write(ssl, buf, strlen(buf)) == (int)strlen(buf));
	ret = SSL_read(ssl, buf, sizeof(buf) - 1);
	MUST(ret > 0);
	buf[ret] = 0;
	body = strstr(buf, "\r\n\r\n");
	MUST(!strncmp(buf, "HTTP/1.1 200", 12) && body);
	talk(ssl);
	if (go >= 0)
		hear(go);
	rest = read_all(ssl, fd, talk_at);
	got.plain = buf + ret - (body + 4) + rest.plain;
	got.notified = rest.notified;
	return got;
}

static void nginx_big(const struct way *way, size_t len, bool killed)
{
	pid_t nginx = nginx_start(), peer;
	int told[2], go[2], result[2];
	double began, closed, freed;
	struct got got;

	pipes_open(told, go, result);
	peer = spawn();
	if (!peer) {
		got = nginx_get("big", go[0], len / 2);
		MUST(write(result[1], &got, sizeof(got)) == sizeof(got));
		_exit(0);
	}
	/* All but what is in the peer's buffers */
	MUST(EVENTUALLY(send_queue() > len - (256 << 10)));
	MUST(tls_stat("CurrTxSw") > 0);
	began = now_ms();
	tell(go[1], 0);
	if (killed) {
		pause_ms(KILL_MS);
		kill(nginx, SIGKILL);
	} else {
		/* It does not tell when it closes: it is looked at. */
		while (nginx_has_connection(nginx))
			pause_ms(1);
		closed = now_ms();
		await_connections(1);
		freed = now_ms();
	}
	MUST(read(result[0], &got, sizeof(got)) == sizeof(got));
	judge(way, &got, len, killed);
	if (!killed) {
		report(way, "freed", freed - began);
		report(way, "descriptor", closed - began);
		kill(nginx, SIGTERM);
	}
	wait_for(nginx);
	wait_for(peer);
	await_connections(0);
	pipes_close(told, go, result);
}

static void nginx_short(const struct way *way, int times)
{
	pid_t nginx = nginx_start();
	double start = now_ms();
	int whole = 0, i;
	struct got got;

	for (i = 0; i < times; i++) {
		got = nginx_get("short", -1, 0);
		whole += got.plain == SHORT_LEN && got.notified;
	}
	report(way, "short_whole", whole * 100.0 / times);
	report(way, "short_ms", (now_ms() - start) / times);
	kill(nginx, SIGTERM);
	wait_for(nginx);
	await_connections(0);
}

/* ---- all ---- */

static void set_up(size_t len)
{
	int fd;

	signal(SIGPIPE, SIG_IGN);
	/* the whole of it in nginx's send buffer, too */
	MUST(!write_file("/proc/sys/net/core/wmem_max", "67108864"));
	fd = open("big", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	MUST(fd >= 0 && !ftruncate(fd, len));
	close(fd);
	fd = open("short", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	MUST(fd >= 0 && !ftruncate(fd, SHORT_LEN));
	close(fd);
	MUST(!chmod(".", 0755));

	client_ctx = SSL_CTX_new(TLS_client_method());
	server_ctx = SSL_CTX_new(TLS_server_method());
	MUST(client_ctx && server_ctx);
	SSL_CTX_set_options(client_ctx, SSL_OP_ENABLE_KTLS);
	SSL_CTX_set_min_proto_version(client_ctx, TLS1_3_VERSION);
	MUST(SSL_CTX_use_certificate_file(server_ctx, "cert.pem",
					  SSL_FILETYPE_PEM) == 1);
	MUST(SSL_CTX_use_PrivateKey_file(server_ctx, "key.pem",
					 SSL_FILETYPE_PEM) == 1);
}

/* Is @name among those asked for? None asked for are all. */
static bool wanted(const char *name, char **names)
{
	if (!*names)
		return true;
	while (*names)
		if (!strcmp(*names++, name))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const struct way *way;
	int times, brief, i;
	size_t len;

	if (argc < 4 || atoi(argv[1]) < 1 || atoi(argv[2]) < 1 ||
	    atoi(argv[3]) < 1) {
		fprintf(stderr, "usage: rivals MIB TIMES SHORT [WAY...]\n");
		return 2;
	}
	len = (size_t)atoi(argv[1]) << 20;
	times = atoi(argv[2]);
	brief = atoi(argv[3]);
	set_up(len);
	bed_open(&bed);
	for (i = 0; i < times; i++) {
		for (way = ways; way < ways + sizeof(ways) / sizeof(*ways); way++) {
			if (!wanted(way->name, argv + 4))
				continue;
			drst_set("mode", way->mode);
			(way->end ? one_big : nginx_big)(way, len, false);
			(way->end ? one_big : nginx_big)(way, len, true);
			if (i == 0)
				(way->end ? many_short : nginx_short)(way, brief);
		}
	}
	bed_close(&bed);
	return 0;
}
