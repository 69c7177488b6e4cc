/* SPDX-License-Identifier: MIT */
/* This file cuts text into lines. */
#include "kernel/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/sys.h"

enum {
	LONGEST_LINE = 1 << 20, /* a path may be longer than PATH_MAX; a megabyte without a newline is no such text */
	PIECE_SIZE = 16384,
};

static int append(struct lines *lines, const char *piece, size_t size)
{
	int result;

	if (lines->rest.nr + size > LONGEST_LINE)
		return -EBADMSG;
	if (size == 0)
		return 0;
	result = vec_reserve(&lines->rest, lines->rest.nr + size);
	if (result < 0)
		return result;
	memcpy(lines->rest.items + lines->rest.nr, piece, size);
	lines->rest.nr += size;
	return 0;
}

int lines_feed(struct lines *lines, const char *piece, size_t size, line_fn *fn, void *arg)
{
	const char *end = piece + size;

	while (piece < end) {
		const char *newline = memchr(piece, '\n', (size_t)(end - piece));
		const char *line = piece;
		size_t length;
		int result = 0;

		if (newline == NULL)
			return append(lines, piece, (size_t)(end - piece));
		length = (size_t)(newline - piece);
		piece = newline + 1;
		if (lines->rest.nr > 0) {
			result = append(lines, line, length);
			line = lines->rest.items;
			length = lines->rest.nr;
			lines->rest.nr = 0;
		}
		if (result == 0)
			result = fn(arg, line, length);
		if (result != 0)
			return result;
	}
	return 0;
}

int lines_end(const struct lines *lines)
{
	return lines->rest.nr == 0 ? 0 : -EBADMSG;
}

void lines_fini(struct lines *lines)
{
	vec_free(&lines->rest);
}

static int read_pieces(int fd, struct lines *lines, line_fn *fn, void *arg, struct lines_cost *cost)
{
	char piece[PIECE_SIZE];
	off_t at = 0;

	for (;;) {
		uint64_t began_ns = sys_clock_ns(CLOCK_MONOTONIC);
		ssize_t got = sys_pread(fd, piece, sizeof(piece), at);
		uint64_t took_ns = sys_clock_ns(CLOCK_MONOTONIC) - began_ns;
		int result;

		cost->nr_calls++;
		if (took_ns > cost->longest_ns)
			cost->longest_ns = took_ns;
		if (got < 0)
			return (int)got;
		if (got == 0)
			return lines_end(lines);
		result = lines_feed(lines, piece, (size_t)got, fn, arg);
		if (result != 0)
			return result;
		at += got;
	}
}

int lines_read(int fd, line_fn *fn, void *arg, struct lines_cost *cost)
{
	struct lines_cost ignored = { 0 };
	struct lines lines = { 0 };
	int result = read_pieces(fd, &lines, fn, arg, cost != NULL ? cost : &ignored);

	lines_fini(&lines);
	return result;
}
