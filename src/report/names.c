/* SPDX-License-Identifier: MIT */
/*
 * This file makes names fit for a terminal. They come from processes that nobody vouches for: a mapping may be called
 * anything, escape sequences included.
 */
#include <stdbool.h>
#include <string.h>

#include "report/format.h"

/* The value of a lead byte, and how many bytes follow it; 0xff for a byte that leads nothing. */
static uint32_t lead(unsigned char byte, size_t *more)
{
	*more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc2 ? 1 : 0;
	if (byte < 0x80)
		return byte;
	return byte < 0xc2 || byte > 0xf4 ? UINT32_MAX : byte & (0x3fu >> *more);
}

size_t format_utf8(const char *text)
{
	size_t more;
	uint32_t value = lead((unsigned char)text[0], &more);

	if (value == UINT32_MAX)
		return 0;
	for (size_t i = 1; i <= more; i++) {
		unsigned char byte = (unsigned char)text[i];

		if ((byte & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (byte & 0x3f);
	}
	if ((more == 2 && value < 0x800) || (more == 3 && (value < 0x10000 || value > 0x10ffff)))
		return 0;
	return value >= 0xd800 && value < 0xe000 ? 0 : more + 1;
}

/* The controls of ASCII, and those of Latin 1, which are two bytes of UTF-8. */
static bool is_control(const char *text, size_t size)
{
	unsigned char first = (unsigned char)text[0];

	return size == 1 ? first < 0x20 || first == 0x7f : size == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0;
}

/* Copies one character, or a '?' in its place; returns what it took from `from`. */
static size_t copy(char **to, const char *from)
{
	size_t size = format_utf8(from);

	if (size == 0 || is_control(from, size)) {
		*(*to)++ = '?';
		return size > 0 ? size : 1;
	}
	memcpy(*to, from, size);
	*to += size;
	return size;
}

static int count(const char *name)
{
	int columns = 0;

	for (; *name != 0; columns++) {
		size_t size = format_utf8(name);

		name += size > 0 ? size : 1;
	}
	return columns;
}

struct format_name format_name(const char *name, int columns)
{
	struct format_name text;
	char *to = text.s;
	int all = count(name);
	int room = columns < 1 ? 1 : columns > 79 ? 79 : columns;
	/* The end of a name says more than its middle: "libveryl..g.so.6". */
	int head = all <= room ? all : room > 4 ? (room - 2) / 2 : room;
	int tail = all <= room || room <= 4 ? 0 : room - 2 - head;
	int i = 0;

	while (*name != 0 && i < head) {
		name += copy(&to, name);
		i++;
	}
	if (tail > 0) {
		for (; i < all - tail; i++) {
			size_t size = format_utf8(name);

			name += size > 0 ? size : 1;
		}
		*to++ = '.';
		*to++ = '.';
		while (*name != 0)
			name += copy(&to, name);
	}
	*to = 0;
	return text;
}

struct format_name format_mapping(const char *name, int columns)
{
	const char *slash = strrchr(name, '/');

	if (name[0] == 0)
		return format_name("(anon)", columns);
	return format_name(name[0] == '/' && slash[1] != 0 ? slash + 1 : name, columns);
}
