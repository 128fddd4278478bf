/* SPDX-License-Identifier: GPL-2.0 */
/*
 * text.h - TYPE A: lines end in CR LF on the wire (RFC 959 s. 3.1.1.1), in LF here
 *
 * Every LF becomes CR LF, and every CR LF becomes LF. What a text converts to converts back
 * to the same bytes; a CR of its own stays.
 *
 * And what a peer wrote, made fit for a terminal.
 */
#ifndef FTPS_TEXT_H
#define FTPS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/**
 * text_to_wire() - convert a piece of a file
 * @in: the piece
 * @len: its length
 * @out: out: room for 2 * @len bytes
 *
 * Return: how many bytes are in @out.
 */
size_t text_to_wire(const char *in, size_t len, char *out);

/**
 * text_from_wire() - convert a piece of what came
 * @cr: whether the piece before ended in CR, which is kept back; false at the beginning.
 * Still true at the end, the file's last byte is that CR.
 * @in: the piece
 * @len: its length
 * @out: out: room for @len + 1 bytes
 *
 * Return: how many bytes are in @out.
 */
size_t text_from_wire(bool *cr, const char *in, size_t len, char *out);

/**
 * text_mask() - put '?' where a terminal would read a command
 * @last: the byte before, for a text in several pieces; '\0' at the beginning
 * @text: the piece, changed in place
 * @len: its length
 * @keep: control characters that may stay
 *
 * Commands are the control characters of ASCII, DEL, and those from 0x80 to 0x9f, alone or
 * in UTF-8. Other UTF-8 stays as it is.
 */
void text_mask(char *last, char *text, size_t len, const char *keep);

#endif
