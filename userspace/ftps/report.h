/* SPDX-License-Identifier: GPL-2.0 */
/*
 * report.h - what became of a transfer, for people and for scripts
 */
#ifndef FTPS_REPORT_H
#define FTPS_REPORT_H

#include <stdbool.h>

#include "data.h"
#include "status.h"

struct report {
	const char *op;	  /* "put", "get", "STOR", "RETR" */
	const char *path; /* the remote file, as the peers call it */
	const char *from; /* its name before RNTO, or NULL */
	const char *peer; /* the other end's address, or NULL */
	const char *user; /* server: who it was, "" before USER; client: NULL */
	enum xs status;
	int reply;			 /* the final reply's code, 0: there was none */
	const char *reply_text;		 /* or NULL */
	const struct transfer *transfer; /* NULL where it never began */
	enum ending ending;		 /* how this side was told to end it */
	const char *partial;		 /* where the partial file is, or NULL */
	const char *why;		 /* the failure in words, or NULL */
};

/**
 * report_print() - one line, in one write
 * @r: the facts
 * @json: as a JSON object; else for people
 * @fd: where to; standard error where standard output is the file itself
 */
void report_print(const struct report *r, bool json, int fd);

/**
 * report_event() - say what a server saw that is no transfer, on standard output
 * @event: in a word: "login"
 * @peer: the other end's address
 * @user: who it says it is, or ""
 * @detail: more words
 * @json: as a JSON object
 */
void report_event(const char *event, const char *peer, const char *user, const char *detail,
		  bool json);

/**
 * report_listening() - say where the server listens
 * @address: as net_text() gives it
 * @port: the port alone
 * @json: as a JSON object
 */
void report_listening(const char *address, unsigned int port, bool json);

#endif
