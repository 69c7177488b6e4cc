/* SPDX-License-Identifier: MIT */
/* This file parses /proc/PID/smaps. */
#include "kernel/smaps.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "kernel/text.h"

/* Bits of smaps_parser.seen: one for each field that is read, and one for the line that begins a VMA. */
enum {
	SEEN_HEADER = 1 << 0,
	SEEN_RSS = 1 << 1,
	SEEN_REFERENCED = 1 << 2,
	SEEN_FLAGS = 1 << 3,
	SEEN_ANON_HUGE = 1 << 4, /* these are not in every kernel's text */
	SEEN_SHMEM_HUGE = 1 << 5,
	SEEN_FILE_HUGE = 1 << 6,
	SEEN_SHARED_HUGETLB = 1 << 7,
	SEEN_PRIVATE_HUGETLB = 1 << 8,
	SEEN_ALL = SEEN_HEADER | SEEN_RSS | SEEN_REFERENCED | SEEN_FLAGS,
};

static const struct field {
	const char *name;
	uint32_t bit;
	size_t offset; /* of the sum that it adds to */
} fields[] = {
	{ "Rss", SEEN_RSS, offsetof(struct smaps_vma, rss_bytes) },
	{ "Referenced", SEEN_REFERENCED, offsetof(struct smaps_vma, referenced_bytes) },
	{ "AnonHugePages", SEEN_ANON_HUGE, offsetof(struct smaps_vma, huge_bytes) },
	{ "ShmemPmdMapped", SEEN_SHMEM_HUGE, offsetof(struct smaps_vma, huge_bytes) },
	{ "FilePmdMapped", SEEN_FILE_HUGE, offsetof(struct smaps_vma, huge_bytes) },
	{ "Shared_Hugetlb", SEEN_SHARED_HUGETLB, offsetof(struct smaps_vma, hugetlb_bytes) },
	{ "Private_Hugetlb", SEEN_PRIVATE_HUGETLB, offsetof(struct smaps_vma, hugetlb_bytes) },
};

struct hand_on {
	struct smaps_parser *parser;
	smaps_fn *fn;
	void *arg;
	long nr;
};

static bool is(const char *text, size_t size, const char *word)
{
	return size == strlen(word) && memcmp(text, word, size) == 0;
}

/* "      8 kB" */
static bool parse_kib(struct text *text, uint64_t *bytes)
{
	uint64_t kib;

	text_blanks(text);
	return text_decimal(text, &kib) && text_char(text, ' ') && text_char(text, 'k') && text_char(text, 'B') &&
	       text->at == text->end && !__builtin_mul_overflow(kib, UINT64_C(1024), bytes);
}

/* " rd wr mr mw me ac ht ": a flag that this kernel has no letters for is "??". */
static bool parse_flags(struct text *text, uint32_t *kinds)
{
	static const struct {
		const char *letters;
		uint32_t kind;
	} known[] = { { "ht", SMAPS_HUGETLB },
		      { "pf", SMAPS_PFNMAP },
		      { "io", SMAPS_IO },
		      { "mm", SMAPS_MIXED },
		      { "mg", SMAPS_MERGEABLE } };

	for (;;) {
		const char *word;

		text_blanks(text);
		word = text->at;
		while (text->at < text->end && *text->at != ' ')
			text->at++;
		if (text->at == word)
			return true;
		if (text->at - word != 2)
			return false;
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (memcmp(word, known[i].letters, 2) == 0)
				*kinds |= known[i].kind;
	}
}

static bool note(struct smaps_parser *parser, uint32_t bit)
{
	bool is_first = !(parser->seen & bit);

	parser->seen |= bit;
	return is_first;
}

static bool add(struct smaps_parser *parser, const struct field *field, struct text *text)
{
	uint64_t *sum = (uint64_t *)((char *)&parser->vma + field->offset);
	uint64_t bytes;

	return note(parser, field->bit) && parse_kib(text, &bytes) && !__builtin_add_overflow(*sum, bytes, sum);
}

/* "Name:  value"; names that are not known belong to newer kernels, or are of no use here. */
static bool parse_field(struct smaps_parser *parser, const char *line, size_t size)
{
	const char *colon = memchr(line, ':', size);
	struct text text;

	if (colon == NULL || colon == line || !(parser->seen & SEEN_HEADER))
		return false;
	text = (struct text){ colon + 1, line + size };
	if (is(line, (size_t)(colon - line), "VmFlags"))
		return note(parser, SEEN_FLAGS) && parse_flags(&text, &parser->vma.kinds);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (is(line, (size_t)(colon - line), fields[i].name))
			return add(parser, &fields[i], &text);
	return true;
}

/* Hands on the VMA whose fields have all come. */
static int complete(struct hand_on *hand_on)
{
	struct smaps_parser *parser = hand_on->parser;

	if (parser->seen == 0)
		return 0;
	if ((parser->seen & SEEN_ALL) != SEEN_ALL)
		return -EBADMSG;
	parser->seen = 0;
	hand_on->nr++;
	return hand_on->fn(hand_on->arg, &parser->vma);
}

/* Addresses are in lower case and names of fields begin in upper case. */
static bool is_header(const char *line, size_t size)
{
	return size > 0 && ((*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f'));
}

static int take_line(void *arg, const char *line, size_t size)
{
	struct hand_on *hand_on = arg;
	struct smaps_parser *parser = hand_on->parser;
	int result;

	if (!is_header(line, size))
		return parse_field(parser, line, size) ? 0 : -EBADMSG;
	result = complete(hand_on);
	if (result != 0)
		return result;
	parser->vma = (struct smaps_vma){ 0 };
	parser->seen = SEEN_HEADER;
	result = maps_parse_line(line, size, &parser->vma.vma);
	parser->vma.vma.name = NULL; /* would go with the line */
	parser->vma.vma.name_size = 0;
	return result;
}

int smaps_parser_feed(struct smaps_parser *parser, const char *piece, size_t size, smaps_fn *fn, void *arg)
{
	struct hand_on hand_on = { .parser = parser, .fn = fn, .arg = arg };

	return lines_feed(&parser->lines, piece, size, take_line, &hand_on);
}

int smaps_parser_end(struct smaps_parser *parser, smaps_fn *fn, void *arg)
{
	struct hand_on hand_on = { .parser = parser, .fn = fn, .arg = arg };
	int result = lines_end(&parser->lines);

	return result < 0 ? result : complete(&hand_on);
}

void smaps_parser_fini(struct smaps_parser *parser)
{
	lines_fini(&parser->lines);
}

long smaps_read(int fd, smaps_fn *fn, void *arg, struct lines_cost *cost)
{
	struct smaps_parser parser = { 0 };
	struct hand_on hand_on = { .parser = &parser, .fn = fn, .arg = arg };
	int result = lines_read(fd, take_line, &hand_on, cost);

	if (result == 0)
		result = complete(&hand_on);
	return result == 0 ? hand_on.nr : result;
}
