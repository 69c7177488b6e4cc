/* SPDX-License-Identifier: MIT */
/* This file parses /proc/PID/maps. */
#include "kernel/maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/sys.h"
#include "kernel/text.h"

enum {
	SMALLEST_PAGE = 4096,   /* no Linux has smaller ones: addresses that are not multiples are garbage */
	LONGEST_LINE = 1 << 20, /* a path may be longer than PATH_MAX; a megabyte without a newline is no maps file */
	PIECE_SIZE = 16384,
};

static bool parse_flag(struct text *text, char set, char unset, uint32_t flag, uint32_t *flags)
{
	if (text_char(text, set)) {
		*flags |= flag;
		return true;
	}
	return text_char(text, unset);
}

static bool parse_flags(struct text *text, uint32_t *flags)
{
	*flags = 0;
	return parse_flag(text, 'r', '-', VMA_READ, flags) && parse_flag(text, 'w', '-', VMA_WRITE, flags) &&
	       parse_flag(text, 'x', '-', VMA_EXEC, flags) && parse_flag(text, 's', 'p', VMA_SHARED, flags);
}

static bool parse_device(struct text *text)
{
	uint64_t major;
	uint64_t minor;

	return text_hex(text, &major) && text_char(text, ':') && text_hex(text, &minor);
}

int maps_parse_line(const char *line, size_t size, struct vma *out)
{
	struct text text = { line, line + size };
	bool sound = text_hex(&text, &out->start) && text_char(&text, '-') && text_hex(&text, &out->end) &&
	             text_char(&text, ' ') && parse_flags(&text, &out->flags) && text_char(&text, ' ') &&
	             text_hex(&text, &out->offset) && text_char(&text, ' ') && parse_device(&text) &&
	             text_char(&text, ' ') && text_decimal(&text, &out->inode);

	if (!sound || out->start >= out->end || out->start % SMALLEST_PAGE != 0 || out->end % SMALLEST_PAGE != 0)
		return -EBADMSG;
	if (text.at < text.end && !text_char(&text, ' '))
		return -EBADMSG;
	/* The name begins at a fixed column, after blanks, and runs to the end: blanks inside and behind are its own.
	 */
	text_blanks(&text);
	if (memchr(text.at, 0, (size_t)(text.end - text.at)) != NULL)
		return -EBADMSG;
	out->name = text.at;
	out->name_size = (size_t)(text.end - text.at);
	return 0;
}

static int append(struct maps_parser *parser, const char *piece, size_t size)
{
	int result;

	if (parser->line.nr + size > LONGEST_LINE)
		return -EBADMSG;
	if (size == 0)
		return 0;
	result = vec_reserve(&parser->line, parser->line.nr + size);
	if (result < 0)
		return result;
	memcpy(parser->line.items + parser->line.nr, piece, size);
	parser->line.nr += size;
	return 0;
}

int maps_parser_feed(struct maps_parser *parser, const char *piece, size_t size, vma_fn *fn, void *arg)
{
	const char *end = piece + size;

	while (piece < end) {
		const char *newline = memchr(piece, '\n', (size_t)(end - piece));
		const char *line = piece;
		size_t length;
		struct vma vma;
		int result;

		if (newline == NULL)
			return append(parser, piece, (size_t)(end - piece));
		length = (size_t)(newline - piece);
		piece = newline + 1;
		if (parser->line.nr > 0) {
			result = append(parser, line, length);
			if (result < 0)
				return result;
			line = parser->line.items;
			length = parser->line.nr;
			parser->line.nr = 0;
		}
		result = maps_parse_line(line, length, &vma);
		if (result == 0)
			result = fn(arg, &vma);
		if (result != 0)
			return result;
	}
	return 0;
}

int maps_parser_end(const struct maps_parser *parser)
{
	return parser->line.nr == 0 ? 0 : -EBADMSG;
}

void maps_parser_fini(struct maps_parser *parser)
{
	vec_free(&parser->line);
}

struct counter {
	vma_fn *fn;
	void *arg;
	long nr;
};

static int count(void *arg, const struct vma *vma)
{
	struct counter *counter = arg;

	counter->nr++;
	return counter->fn(counter->arg, vma);
}

static int read_pieces(int fd, struct maps_parser *parser, struct counter *counter)
{
	char piece[PIECE_SIZE];
	off_t at = 0;

	for (;;) {
		ssize_t got = sys_pread(fd, piece, sizeof(piece), at);
		int result;

		if (got < 0)
			return (int)got;
		if (got == 0)
			return maps_parser_end(parser);
		result = maps_parser_feed(parser, piece, (size_t)got, count, counter);
		if (result != 0)
			return result;
		at += got;
	}
}

long maps_read(int fd, vma_fn *fn, void *arg)
{
	struct maps_parser parser = { 0 };
	struct counter counter = { .fn = fn, .arg = arg };
	int result = read_pieces(fd, &parser, &counter);

	maps_parser_fini(&parser);
	return result == 0 ? counter.nr : result;
}
