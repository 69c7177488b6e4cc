/* SPDX-License-Identifier: MIT */
/* This file parses /proc/PID/maps. */
#include "kernel/maps.h"

#include <errno.h>
#include <string.h>

#include "kernel/sysfile.h"
#include "kernel/text.h"

enum {
	SMALLEST_PAGE = 4096, /* no Linux has smaller ones: addresses that are not multiples are garbage */
	DEFAULT_LIMIT = 65530,
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

struct hand_on {
	vma_fn *fn;
	void *arg;
	long nr;
};

static int take_line(void *arg, const char *line, size_t size)
{
	struct hand_on *hand_on = arg;
	struct vma vma;
	int result = maps_parse_line(line, size, &vma);

	if (result < 0)
		return result;
	hand_on->nr++;
	return hand_on->fn(hand_on->arg, &vma);
}

int maps_parser_feed(struct maps_parser *parser, const char *piece, size_t size, vma_fn *fn, void *arg)
{
	struct hand_on hand_on = { .fn = fn, .arg = arg };

	return lines_feed(&parser->lines, piece, size, take_line, &hand_on);
}

int maps_parser_end(const struct maps_parser *parser)
{
	return lines_end(&parser->lines);
}

void maps_parser_fini(struct maps_parser *parser)
{
	lines_fini(&parser->lines);
}

long maps_read(int fd, vma_fn *fn, void *arg)
{
	struct hand_on hand_on = { .fn = fn, .arg = arg };
	int result = lines_read(fd, take_line, &hand_on, NULL);

	return result == 0 ? hand_on.nr : result;
}

uint64_t maps_limit(void)
{
	uint64_t value;

	return sysfile_value("/proc/sys/vm/max_map_count", &value) == 0 ? value : DEFAULT_LIMIT;
}
