/* SPDX-License-Identifier: MIT */
/* This file reads pattern files; pattern.h describes them. */
#include "pattern.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "base/scope.h"
#include "units.h"

#define MAX_WORDS 8

static const char *const kind_names[] = {
	[PAGE_BASE] = "base", [PAGE_THP] = "thp",       [PAGE_SHARED] = "shared",
	[PAGE_FILE] = "file", [PAGE_LOCKED] = "locked", [PAGE_MEMFD] = "memfd",
};

const char *page_kind_name(enum page_kind kind)
{
	return kind_names[kind];
}

/* A directive's reader gets the words after its name; it returns NULL, or what is wrong with them. */
struct directive {
	const char *name;
	int min_words;
	int max_words;
	const char *(*read)(struct pattern *pattern, char **words, int nr);
};

static const char *read_area(struct pattern *pattern, char **words, int nr)
{
	if (units_bytes(words[0], 0, &pattern->size) < 0 || pattern->size == 0 || pattern->size % (2u << 20))
		return "the area must be a positive multiple of 2MiB";
	return NULL;
}

static const char *read_page(struct pattern *pattern, char **words, int nr)
{
	for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
		if (strcmp(kind_names[i], words[0]) == 0) {
			pattern->kind = (enum page_kind)i;
			return NULL;
		}
	}
	return "page is base, thp, shared, file, locked or memfd";
}

static const char *read_tick(struct pattern *pattern, char **words, int nr)
{
	return units_duration(words[0], &pattern->tick_ns) < 0 ? "tick is a duration like 1ms" : NULL;
}

static const char *read_seed(struct pattern *pattern, char **words, int nr)
{
	return units_bytes(words[0], 0, &pattern->seed) < 0 ? "seed is a number" : NULL;
}

static const char *read_order(struct pattern *pattern, char **words, int nr)
{
	pattern->random = strcmp(words[0], "random") == 0;
	return pattern->random || strcmp(words[0], "sequential") == 0 ? NULL : "order is random or sequential";
}

static const char *read_repeat(struct pattern *pattern, char **words, int nr)
{
	pattern->repeat = true;
	return NULL;
}

static const char *add_phase(struct pattern *pattern, const char *name, const char *duration)
{
	struct phase phase = { 0 };

	if (units_duration(duration, &phase.duration_ns) < 0 || phase.duration_ns == 0)
		return "a phase's duration is like 5s, or forever";
	snprintf(phase.name, sizeof(phase.name), "%s", name);
	return vec_push(&pattern->phases, phase) < 0 ? "out of memory" : NULL;
}

static const char *read_phase(struct pattern *pattern, char **words, int nr)
{
	return add_phase(pattern, words[0], words[1]);
}

static const char *read_access(const char *word, enum access *access)
{
	int named = access_by_name(word);

	if (named < 0)
		return "access is read, write or both";
	*access = (enum access)named;
	return NULL;
}

static const char *add_piece(struct pattern *pattern, struct piece piece)
{
	piece.offset -= piece.offset % ORACLE_PAGE;
	piece.size -= piece.size % ORACLE_PAGE;
	if (piece.size == 0 || piece.offset > pattern->size || piece.size > pattern->size - piece.offset)
		return "the piece does not lie in the area (is the area given above?)";
	if (pattern->phases.nr == 0)
		return "a piece needs a phase above it";
	return vec_push(&pattern->phases.items[pattern->phases.nr - 1].pieces, piece) < 0 ? "out of memory" : NULL;
}

static const char *read_hot(struct pattern *pattern, char **words, int nr)
{
	struct piece piece = { .probability = 1 };
	const char *wrong;

	if (units_bytes(words[0], pattern->size, &piece.offset) < 0 ||
	    units_bytes(words[1], pattern->size, &piece.size) < 0)
		return "offset and size are like 64MiB or 10%";
	wrong = read_access(words[2], &piece.access);
	if (wrong)
		return wrong;
	for (int i = 3; i < nr; i++) {
		if (strncmp(words[i], "p=", 2) == 0 && units_share(words[i] + 2, &piece.probability) == 0)
			continue;
		if (strncmp(words[i], "speed=", 6) == 0 && units_bytes(words[i] + 6, pattern->size, &piece.speed) == 0)
			continue;
		return "after the access come p=0.5 or speed=8MiB";
	}
	return add_piece(pattern, piece);
}

static const char *read_stairs(struct pattern *pattern, char **words, int nr)
{
	const char *wrong = NULL;
	uint64_t steps;
	enum access access;

	if (units_bytes(words[0], 0, &steps) < 0 || steps == 0 || steps > 1000)
		return "stairs have 1 to 1000 steps";
	wrong = read_access(words[2], &access);
	for (uint64_t i = 0; i < steps && !wrong; i++) {
		struct piece piece = { .access = access, .probability = 1 };
		char name[32];

		piece.size = pattern->size / steps;
		piece.offset = i * piece.size;
		snprintf(name, sizeof(name), "stair-%u", (unsigned)i);
		wrong = add_phase(pattern, name, words[1]);
		if (!wrong)
			wrong = add_piece(pattern, piece);
	}
	return wrong;
}

static const struct directive directives[] = {
	{ "area", 1, 1, read_area },   { "page", 1, 1, read_page },   { "tick", 1, 1, read_tick },
	{ "seed", 1, 1, read_seed },   { "order", 1, 1, read_order }, { "repeat", 0, 0, read_repeat },
	{ "phase", 2, 2, read_phase }, { "hot", 3, 5, read_hot },     { "stairs", 3, 3, read_stairs },
};

static const char *read_line(struct pattern *pattern, char *line)
{
	char *words[MAX_WORDS];
	char *rest = NULL;
	int nr = 0;

	line[strcspn(line, "#\n")] = 0;
	for (char *word = strtok_r(line, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
		if (nr == MAX_WORDS)
			return "too many words";
		words[nr++] = word;
	}
	if (nr == 0)
		return NULL;
	for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++) {
		if (strcmp(directives[i].name, words[0]) == 0) {
			if (nr - 1 < directives[i].min_words || nr - 1 > directives[i].max_words)
				return "wrong number of words after the directive";
			return directives[i].read(pattern, words + 1, nr - 1);
		}
	}
	return "unknown directive";
}

static void take_name(struct pattern *pattern, const char *path)
{
	scope_free char *copy = strdup(path);

	snprintf(pattern->name, sizeof(pattern->name), "%s", copy ? basename(copy) : path);
	if (strrchr(pattern->name, '.'))
		*strrchr(pattern->name, '.') = 0;
}

int pattern_read(struct pattern *pattern, const char *path)
{
	scope_free char *line = NULL;
	const char *wrong = NULL;
	FILE *file = fopen(path, "re");
	size_t size = 0;
	int number = 0;

	*pattern = (struct pattern){ .kind = PAGE_BASE, .tick_ns = 1000000 };
	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -errno;
	}
	take_name(pattern, path);
	while (!wrong && getline(&line, &size, file) >= 0) {
		number++;
		wrong = read_line(pattern, line);
	}
	fclose(file);
	if (!wrong && pattern->phases.nr == 0)
		wrong = "no phase";
	if (!wrong)
		return 0;
	fprintf(stderr, "%s:%d: %s\n", path, number, wrong);
	pattern_fini(pattern);
	return -EINVAL;
}

void pattern_fini(struct pattern *pattern)
{
	for (size_t i = 0; i < pattern->phases.nr; i++)
		vec_free(&pattern->phases.items[i].pieces);
	vec_free(&pattern->phases);
}
