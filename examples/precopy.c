/* SPDX-License-Identifier: MIT */
/*
 * This file is an example: it copies the largest private mapping of a running process, as a live migration would.
 * Rounds copy what was written during the round before; when little is left, the process is stopped, the rest copied,
 * and the copy compared with the original. cc precopy.c $(pkg-config --cflags --libs libtidemark) -o precopy
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tidemark/watch.h>

enum {
	MAX_ROUNDS = 20,
	FEW_PAGES = 64,
	PIECE = 1 << 20,
};

struct copy {
	struct tide_target *target;
	struct tide_watch *watch;
	struct tide_range range;
	unsigned char *bytes;
	struct tide_error err;
};

static int find_largest(struct copy *copy)
{
	const uint32_t wanted = TIDE_MAPPING_READ | TIDE_MAPPING_WRITE;
	const struct tide_layout *layout;
	int result = tide_target_refresh(copy->target, &layout, &copy->err);

	for (size_t i = 0; result == 0 && i < layout->nr_mappings; i++) {
		const struct tide_mapping *mapping = &layout->mappings[i];

		if ((mapping->flags & (wanted | TIDE_MAPPING_SHARED)) == wanted &&
		    mapping->end - mapping->start > copy->range.end - copy->range.start)
			copy->range = (struct tide_range){ mapping->start, mapping->end };
	}
	return result;
}

static int copy_range(struct copy *copy, uint64_t start, uint64_t end)
{
	return tide_watch_copy(copy->watch, start, end, copy->bytes + (start - copy->range.start), NULL, &copy->err);
}

/* Copies what was written since the last round. Returns the number of pages, or negative. */
static long copy_round(struct copy *copy)
{
	struct tide_run runs[256];
	long nr_pages = 0;
	long nr;

	while ((nr = tide_watch_collect(copy->watch, runs, 256, &copy->err)) > 0) {
		for (long i = 0; i < nr; i++) {
			uint64_t start = runs[i].start > copy->range.start ? runs[i].start : copy->range.start;
			uint64_t end = runs[i].end < copy->range.end ? runs[i].end : copy->range.end;

			if (start >= end)
				continue;
			if (copy_range(copy, start, end) < 0)
				return -1;
			nr_pages += (long)((end - start) / 4096);
		}
	}
	return nr < 0 ? nr : nr_pages;
}

/* The copy against the original, which stands still. Returns how many pages differ, or negative. */
static long compare(struct copy *copy)
{
	static unsigned char now[PIECE];
	long nr_different = 0;

	for (uint64_t at = copy->range.start; at < copy->range.end; at += PIECE) {
		uint64_t end = copy->range.end - at < PIECE ? copy->range.end : at + PIECE;

		if (tide_watch_copy(copy->watch, at, end, now, NULL, &copy->err) < 0)
			return -1;
		for (uint64_t page = at; page < end; page += 4096)
			nr_different += memcmp(now + (page - at), copy->bytes + (page - copy->range.start), 4096) != 0;
	}
	return nr_different;
}

/* Sends SIGSTOP and waits until the main thread has stopped; a program with threads would look at each of them. */
static void stop(pid_t pid)
{
	char path[32];
	char state = 0;

	kill(pid, SIGSTOP);
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (int i = 0; i < 10000 && state != 'T'; i++) {
		FILE *stat = fopen(path, "r");

		if (stat == NULL || fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
			state = 'T'; /* it has gone: the collect says so */
		if (stat != NULL)
			fclose(stat);
		usleep(100);
	}
}

static int run(struct copy *copy, pid_t pid)
{
	long nr_pages = -1;
	long nr_different = -1;
	int round = 1;

	if (copy_range(copy, copy->range.start, copy->range.end) < 0)
		return -1;
	printf("round 1: all of %llx-%llx\n", (unsigned long long)copy->range.start,
	       (unsigned long long)copy->range.end);
	do {
		nr_pages = copy_round(copy);
		if (nr_pages >= 0)
			printf("round %d: %ld pages\n", ++round, nr_pages);
	} while (nr_pages > FEW_PAGES && round < MAX_ROUNDS);
	if (nr_pages < 0)
		return -1;
	stop(pid);
	nr_pages = copy_round(copy);
	if (nr_pages >= 0)
		nr_different = compare(copy);
	kill(pid, SIGCONT);
	if (nr_different < 0)
		return -1;
	printf("stopped: %ld pages; %ld of %llu pages differ\n", nr_pages, nr_different,
	       (unsigned long long)(copy->range.end - copy->range.start) / 4096);
	return nr_different > 0;
}

int main(int argc, char **argv)
{
	struct copy copy = { 0 };
	struct tide_watch_opts opts = {
		.size = sizeof(opts), .ranges = &copy.range, .nr_ranges = 1, .pins = tide_pins_fdinfo()
	};
	pid_t pid = argc == 2 ? (pid_t)atoi(argv[1]) : 0;
	int result;

	if (pid <= 0) {
		fprintf(stderr, "usage: precopy PID\n");
		return 2;
	}
	result = tide_target_open(&copy.target, pid, &copy.err);
	if (result >= 0)
		result = find_largest(&copy);
	if (result >= 0)
		result = tide_watch_open(&copy.watch, copy.target, &opts, &copy.err);
	if (result >= 0) {
		copy.bytes = malloc(copy.range.end - copy.range.start);
		result = copy.bytes != NULL ? run(&copy, pid) : 1;
	}
	if (result < 0)
		fprintf(stderr, "precopy: %s: %s\n", tide_cause_name(copy.err.cause), copy.err.text);
	tide_watch_close(copy.watch);
	tide_target_close(copy.target);
	free(copy.bytes);
	return result != 0;
}
