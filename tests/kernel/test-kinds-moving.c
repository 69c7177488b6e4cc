/* SPDX-License-Identifier: MIT */
/* This file looks at pages that the kernel moves from node to node, in the act, and at the hints it leaves for that. */
#include "kinds.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "need.h"
#include "pages/entry.h"
#include "sensor/walk.h"

#define RW        (PROT_READ | PROT_WRITE)
#define SIZE      (4 * KINDS_MIB)
#define NR_PAGES  (SIZE / KINDS_PAGE)
#define NR_CHECKS 256u
#define ROUNDS    300u
#define ENOUGH    50u /* entries caught in the act */
#define TO_MOVE   2   /* MPOL_MF_MOVE */

static bool has_two_nodes(void)
{
	return access("/sys/devices/system/node/node1", F_OK) == 0;
}

static int live(int in, int out, void *arg)
{
	struct place *place = arg;

	if (kinds_map(place, SIZE, RW, MAP_PRIVATE, -1))
		kinds_advise(place, MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE");
	for (;;) {
		kinds_write(place);
		child_say(out);
		child_pause(in);
	}
	return 0;
}

/* Moves another process's pages to and fro, for ever. */
static int move(int in, int out, void *arg)
{
	pid_t pid = *(const pid_t *)arg;
	static void *pages[NR_PAGES];
	static int nodes[NR_PAGES];
	static int status[NR_PAGES];

	(void)in;
	child_say(out);
	for (unsigned round = 0;; round++) {
		for (size_t i = 0; i < NR_PAGES; i++) {
			pages[i] = (char *)KINDS_START + i * KINDS_PAGE;
			nodes[i] = (int)(round % 2);
		}
		syscall(SYS_move_pages, pid, NR_PAGES, pages, nodes, status, TO_MOVE);
	}
	return 0;
}

static size_t count_moving(struct walker *walker)
{
	struct walker_sample *samples = walker_samples(walker);
	struct tide_error err = { 0 };
	size_t nr = 0;

	for (size_t i = 0; i < NR_PAGES; i++)
		walker_ask(&samples[i], KINDS_START + i * KINDS_PAGE, false);
	if (walker_sample(walker, NR_PAGES, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < NR_PAGES; i++) {
		struct page_entry entry;

		entry_decode(samples[i].entry, samples[i].shift, walker_facts(walker)->address_mask, &entry);
		/* There is no other way for these pages not to be there; an entry is nothing for a moment, while it is
		 * exchanged. */
		assert_true(entry.present || entry.moving || entry.instead == 0);
		nr += entry.moving;
	}
	return nr;
}

/* Present, or for the moment of its way 'swapped': never nothing. */
static size_t count_away(struct tide_pages *pages)
{
	struct tide_pages_query query = {
		.size = sizeof(query),
		.start = KINDS_START,
		.end = KINDS_START + SIZE,
		.any_of = TIDE_PAGE_PRESENT | TIDE_PAGE_SWAPPED,
		.returned = TIDE_PAGE_PRESENT | TIDE_PAGE_SWAPPED,
	};
	static struct tide_page_run runs[NR_PAGES];
	struct tide_error err = { 0 };
	size_t nr_all = 0;
	size_t nr_away = 0;

	for (; query.start < query.end; query.start = query.next) {
		long nr = tide_pages_get(pages, &query, runs, NR_PAGES, &err);

		if (nr < 0)
			fail_msg("%s", err.text);
		for (long i = 0; i < nr; i++) {
			nr_all += (runs[i].end - runs[i].start) / KINDS_PAGE;
			if (!(runs[i].categories & TIDE_PAGE_PRESENT))
				nr_away += (runs[i].end - runs[i].start) / KINDS_PAGE;
		}
	}
	assert_int_equal(nr_all, NR_PAGES);
	return nr_away;
}

static bool was_caught;

/* Answers about memory that was used before the first look and is not used after it. */
struct seen {
	size_t nr_idle;
	size_t nr_unread;
	size_t nr_accessed;
};

/*
 * Between the look and the clearing the kernel may take a page off its list, for its way: MADV_COLD passes over it
 * then, and says nothing. Such a page is called accessed; one that was on its way at the first look never is.
 */
static void watch_unused(struct walk_state *sensor, struct seen *seen)
{
	struct tide_check checks[NR_CHECKS] = { 0 };
	struct tide_error err = { 0 };

	for (size_t i = 0; i < NR_CHECKS; i++)
		checks[i].addr = KINDS_START + i * (NR_PAGES / NR_CHECKS) * KINDS_PAGE;
	if (walk_prepare(sensor, checks, NR_CHECKS, &err) < 0)
		fail_msg("%s", err.text);
	usleep(1000);
	if (walk_check(sensor, checks, NR_CHECKS, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < NR_CHECKS; i++) {
		struct witness witness;

		witness_unpack(&witness, &checks[i]);
		if (checks[i].answer == TIDE_ANSWER_ACCESSED && witness.before == WITNESS_ABSENT)
			assert_int_equal(witness.instead, 0);
		seen->nr_idle += checks[i].answer == TIDE_ANSWER_IDLE;
		seen->nr_accessed += checks[i].answer == TIDE_ANSWER_ACCESSED;
		seen->nr_unread +=
		        checks[i].answer == TIDE_ANSWER_UNOBSERVABLE && checks[i].reason == TIDE_REASON_UNREAD;
	}
}

static void A8_pages_on_their_way_are_unobservable(void **unused)
{
	struct place *place = mmap(NULL, KINDS_PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct child child = { 0 };
	struct child mover = { 0 };
	struct tide_target *target = NULL;
	struct tide_pages *pages = NULL;
	struct walk_state sensor = { 0 };
	struct tide_error err = { 0 };
	size_t nr_moving = 0;
	size_t nr_away = 0;
	struct seen seen = { 0 };

	(void)unused;
	if (need_walk() != 0 || !has_two_nodes()) {
		fprintf(stderr, "one NUMA node: pages have nowhere to go\n");
		skip();
	}
	child_start(&child, live, place);
	assert_string_equal(place->lacks, "");
	if (tide_target_open(&target, child.pid, &err) < 0 || sensor_walk.init(&sensor, target, &err) < 0 ||
	    tide_pages_open(&pages, target, &err) < 0)
		fail_msg("%s", err.text);
	child_start(&mover, move, &child.pid);
	for (unsigned round = 0; round < ROUNDS && (seen.nr_unread < ENOUGH || nr_moving < ENOUGH); round++) {
		child_step(&child);
		watch_unused(&sensor, &seen);
		nr_moving += count_moving(sensor.walker);
		nr_away += count_away(pages);
	}
	child_end(&mover);
	printf("caught on their way: %zu by the walker, %zu by the sensor (beside %zu idle, %zu accessed), %zu by "
	       "'swapped'\n",
	       nr_moving, seen.nr_unread, seen.nr_idle, seen.nr_accessed, nr_away);
	sensor_walk.cleanup(&sensor);
	tide_pages_close(pages);
	tide_target_close(target);
	child_end(&child);
	munmap(place, KINDS_PAGE);
	was_caught = nr_moving > 0 && seen.nr_unread > 0;
	if (!was_caught) {
		fprintf(stderr, "no page was caught on its way\n");
		skip();
	}
}

static long nr_hints(void)
{
	FILE *file = fopen("/proc/vmstat", "re");
	char line[128];
	long nr = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "numa_pte_updates %ld", &nr) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return nr;
}

static void *wait_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

/* The kernel takes entries away from who has run for a while, to learn from where they are used; from processes of one
 * thread only those of pages on other nodes. */
static void hinted(struct place *place)
{
	clock_t until = clock() + 20 * CLOCKS_PER_SEC;
	long before = nr_hints();
	pthread_t thread;

	if (!has_two_nodes() || kinds_number("/proc/sys/kernel/numa_balancing") != 1) {
		kinds_lack(place, "no NUMA balancing here");
		return;
	}
	if (!kinds_map(place, SIZE, RW, MAP_PRIVATE, -1) || !kinds_advise(place, MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE") ||
	    pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
		return;
	kinds_write(place);
	while (clock() < until && nr_hints() - before < (long)NR_PAGES)
		continue;
	if (nr_hints() - before < (long)NR_PAGES)
		kinds_lack(place, "in 20 s of work the kernel left %ld hints", nr_hints() - before);
}

static const struct kind kinds[] = {
	{ "with a NUMA hint", "A1_memory_with_NUMA_hints", hinted, .must = TIDE_PAGE_PRESENT,
	  .never = TIDE_PAGE_SWAPPED | TIDE_PAGE_FILE | TIDE_PAGE_HUGE | TIDE_PAGE_ZERO, .claim = CLAIM_SEEN,
	  .touch = TOUCH_WRITE, .dirty = true },
};

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A8_pages_on_their_way_are_unobservable),
	};
	int moved = argc > 1 ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
	int result = kinds_main(kinds, sizeof(kinds) / sizeof(kinds[0]), argc, argv);

	if (moved != 0)
		return moved;
	return result == 77 && was_caught ? 0 : result;
}
