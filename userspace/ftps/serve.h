/* SPDX-License-Identifier: GPL-2.0 */
/*
 * serve.h - ftps serve
 */
#ifndef FTPS_SERVE_H
#define FTPS_SERVE_H

#include "options.h"
#include "status.h"

/**
 * serve_run() - listen, and give each client a process of its own
 * @o: the options
 *
 * A process each, so that one client's crash (or --end=kill) is no other client's.
 *
 * Return: the exit status where it could not start; with io_stop set a signal ended it.
 */
enum xs serve_run(struct options *o);

#endif
