/* SPDX-License-Identifier: GPL-2.0 */
/*
 * options.h - what the command line says
 */
#ifndef FTPS_OPTIONS_H
#define FTPS_OPTIONS_H

#include "data.h"
#include "store.h"
#include "tls_ctx.h"
#include "url.h"

enum command {
	CMD_NONE,
	CMD_PUT,
	CMD_GET,
	CMD_LS,
	CMD_SERVE,
};

/* What ls asks for. */
enum listing {
	LS_LIST,  /* for people: LIST */
	LS_NAMES, /* NLST */
	LS_FACTS, /* for programs: MLSD (RFC 3659 s. 7) */
};

struct options {
	enum command command;
	bool help, version, verbose;
	struct tls_config tls;
	struct tuning tune;
	enum conddisp conddisp;
	bool json;
	int family;	 /* AF_UNSPEC, AF_INET, AF_INET6 */
	bool implicit;	 /* TLS from the first byte, without AUTH */
	bool clear_data; /* client: PROT C; server: allow it */
	const char *password_file;
	/* put, get, ls */
	struct url url;
	const char *file;  /* local file; "-": standard input or output */
	const char *netrc; /* NULL: $HOME/.netrc */
	bool no_epsv;	   /* PASV alone, for servers that choke on EPSV */
	bool active;	   /* the server connects to us: PORT, EPRT */
	bool resume;	   /* go on where a partial file ends */
	bool append;	   /* APPE */
	bool atomic;	   /* put: under another name until it is complete */
	enum listing ls;
	bool no_mtime; /* get: the file's time is not the server's (MDTM) */
	bool ascii;    /* TYPE A: line ends are converted */
	bool no_progress;
	/* serve */
	const char *dir;
	const char *listen;
	const char *user;
	char password[URL_PART_MAX];
	const char *users; /* a file of several; NULL: @user alone */
	char *users_text;  /* what is in it */
	bool anonymous, anonymous_write;
	int require_reuse;  /* data connections resume the control connection's session */
	const char *run_as; /* become this user; NULL: stay */
	uid_t uid;	    /* who that is */
	gid_t gid;
	const char *pasv_ports, *pasv_address;
	unsigned int pasv_first, pasv_last; /* ports of data connections; 0: any */
	union net_addr pasv_nat;	    /* what PASV tells; AF_UNSPEC: where it listens */
	int max_clients;
	int max_per_host;
	uint64_t max_size; /* of a file that is stored; 0: any */
	int idle_ms;	   /* a control connection may be silent for so long */
};

/**
 * options_parse() - read the command line
 * @o: out: the options, with defaults filled in
 * @argc: as main()
 * @argv: as main()
 *
 * Return: -1 to go on, or the exit status to leave with (--help, errors; said already).
 */
int options_parse(struct options *o, int argc, char **argv);

#endif
