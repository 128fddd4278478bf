// SPDX-License-Identifier: GPL-2.0
#include "guard.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef TCP_MD5SIG
#define TCP_MD5SIG 14
#endif
#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73
#endif

bool guard_md5(int fd)
{
	struct tcp_md5sig md5 = { .tcpm_keylen = 3, .tcpm_key = "key" };
	socklen_t len = sizeof(md5.tcpm_addr);

	MUST(!getpeername(fd, (struct sockaddr *)&md5.tcpm_addr, &len));
	return !setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &md5, sizeof(md5));
}

/* setsockopt(TCP_AO_ADD_KEY), a struct tcp_ao_add: Debian 12's headers know neither. */
#define AO_ADD_KEY 38

static int ao_add(int fd)
{
	struct {
		struct sockaddr_storage addr;
		char alg_name[64];
		int32_t ifindex;
		uint32_t set_flags;
		uint16_t reserved;
		uint8_t prefix;
		uint8_t sndid;
		uint8_t rcvid;
		uint8_t maclen;
		uint8_t keyflags;
		uint8_t keylen;
		uint8_t key[80];
	} __attribute__((aligned(8))) add = {
		.alg_name = "hmac(sha1)", .sndid = 1, .rcvid = 1,
		.keylen = 3, .key = "key",
	};
	socklen_t len = sizeof(int);
	int family;

	/* With any peer */
	MUST(!getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len));
	add.addr.ss_family = family;
	return setsockopt(fd, IPPROTO_TCP, AO_ADD_KEY, &add, sizeof(add));
}

bool guard_has_ao(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has;

	MUST(fd >= 0);
	has = !ao_add(fd);
	close(fd);
	return has;
}

void guard_ao(int fd)
{
	MUST(!ao_add(fd));
}

void guard_ttl(struct conn *conn)
{
	if (conn->family == AF_INET)
		sockopt(conn->fd, IPPROTO_IP, IP_MINTTL, TTL_NEAR);
	else
		sockopt(conn->fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, TTL_NEAR);
}

void peer_ttl(struct bed *bed, int ttl)
{
	char text[8];

	snprintf(text, sizeof(text), "%d", ttl);
	bed_enter(bed, SIDE_B);
	MUST(!write_file("/proc/sys/net/ipv4/ip_default_ttl", text));
	if (ipv6_present())
		MUST(!write_file("/proc/sys/net/ipv6/conf/veth0/hop_limit", text));
	bed_enter(bed, SIDE_A);
}

static bool ip_xfrm(struct bed *bed, enum side side, const char *what)
{
	char command[512];
	bool done;

	*bed_altered = true;
	snprintf(command, sizeof(command), "ip xfrm %s 2>&1", what);
	bed_enter(bed, side);
	done = !system(command);
	bed_enter(bed, SIDE_A);
	return done;
}

/* What goes from @from, on the host @side */
static bool ipsec_way(struct bed *bed, enum side side, int family, enum side from)
{
	static const char * const addrs[][2] = {
		{ "192.0.2.1", "2001:db8::1" }, { "192.0.2.2", "2001:db8::2" },
	};
	const char *src = addrs[from][family == AF_INET6];
	const char *dst = addrs[!from][family == AF_INET6];
	char what[400];

	snprintf(what, sizeof(what),
		 "state add src %s dst %s proto esp spi 0x%x mode transport aead 'rfc4106(gcm(aes))' 0x%040d 128",
		 src, dst, 0x1000 + from, from + 1);
	if (!ip_xfrm(bed, side, what))
		return false;
	snprintf(what, sizeof(what),
		 "policy add src %s dst %s proto tcp dir %s tmpl src %s dst %s proto esp mode transport",
		 src, dst, side == from ? "out" : "in", src, dst);
	return ip_xfrm(bed, side, what);
}

bool ipsec_start(struct bed *bed, enum side side, int family)
{
	return ipsec_way(bed, side, family, SIDE_A) &&
	       ipsec_way(bed, side, family, SIDE_B);
}

void ipsec_forget(struct bed *bed, enum side side, const char *what)
{
	char flush[32];

	snprintf(flush, sizeof(flush), "%s flush", what);
	MUST(ip_xfrm(bed, side, flush));
}
