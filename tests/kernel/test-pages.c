/* SPDX-License-Identifier: MIT */
/* This file asks for the pages of processes whose every page is known, by all masks, bounds and both interfaces. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/pages.h>

#include "base/rng.h"
#include "kernel/sys.h"
#include "mosaic.h"
#include "need.h"

#define MAX_RUNS    MOSAIC_NR
#define EXEC_ITSELF "exec"

/* One look at a mosaic. */
struct fixture {
	struct mosaic mosaic;
	struct tide_target *target;
	struct tide_pages *pages;
	struct tide_page_run got[MAX_RUNS];
	struct tide_page_run wanted[MAX_RUNS];
};

static void open_pages(struct fixture *fix, pid_t pid)
{
	struct tide_error err = { 0 };

	if (tide_target_open(&fix->target, pid, &err) < 0 || tide_pages_open(&fix->pages, fix->target, &err) < 0)
		fail_msg("%s", err.text);
}

static void close_pages(struct fixture *fix)
{
	tide_pages_close(fix->pages);
	tide_target_close(fix->target);
	fix->pages = NULL;
	fix->target = NULL;
}

static struct fixture *begin(uint64_t seed, bool with_huge)
{
	struct fixture *fix = calloc(1, sizeof(*fix));

	assert_non_null(fix);
	mosaic_start(&fix->mosaic, seed, with_huge);
	open_pages(fix, fix->mosaic.child.pid);
	return fix;
}

static void end(struct fixture *fix)
{
	close_pages(fix);
	mosaic_end(&fix->mosaic);
	free(fix);
}

static void use_pagemap(struct fixture *fix)
{
	close_pages(fix);
	setenv("TIDEMARK_FAULT", "no-pagemap-scan", 1);
	open_pages(fix, fix->mosaic.child.pid);
	unsetenv("TIDEMARK_FAULT");
	assert_string_equal(tide_pages_source(fix->pages), "pagemap");
}

static struct tide_pages_query query_all(void)
{
	return (struct tide_pages_query){ .size = sizeof(struct tide_pages_query),
		                          .start = MOSAIC_START,
		                          .end = MOSAIC_END };
}

/* Appends a run, or makes the last one longer. */
static size_t append(struct tide_page_run *runs, size_t nr, const struct tide_page_run *run)
{
	if (nr > 0 && runs[nr - 1].end == run->start && runs[nr - 1].categories == run->categories) {
		runs[nr - 1].end = run->end;
		return nr;
	}
	assert_true(nr < MAX_RUNS);
	runs[nr] = *run;
	return nr + 1;
}

/* The definition, page by page. */
static bool matches(const struct tide_pages_query *query, uint64_t categories)
{
	for (uint64_t bit = 1; bit <= TIDE_PAGE_EVERY; bit <<= 1) {
		bool has = ((categories & bit) != 0) != ((query->inverted & bit) != 0);

		if ((query->all_of & bit) && !has)
			return false;
	}
	for (uint64_t bit = 1; bit <= TIDE_PAGE_EVERY; bit <<= 1)
		if ((query->any_of & bit) && ((categories & bit) != 0) != ((query->inverted & bit) != 0))
			return true;
	return query->any_of == 0;
}

static size_t expect(struct fixture *fix, const struct tide_pages_query *query)
{
	size_t nr = 0;

	for (uint64_t addr = query->start; addr < query->end; addr += MOSAIC_PAGE) {
		uint64_t categories;

		if (mosaic_categories(&fix->mosaic, addr, &categories) && matches(query, categories))
			nr = append(fix->wanted, nr,
			            &(struct tide_page_run){ addr, addr + MOSAIC_PAGE, categories & query->returned });
	}
	return nr;
}

/* All runs of the query, asked for `max` at a time; how many calls it took in `*nr_calls`. */
static size_t ask(struct fixture *fix, struct tide_pages_query query, size_t max, unsigned *nr_calls)
{
	struct tide_page_run *some = calloc(max, sizeof(*some));
	struct tide_error err = { 0 };
	size_t nr = 0;

	assert_non_null(some);
	for (*nr_calls = 0; query.start < query.end; query.start = query.next) {
		uint64_t nr_pages = 0;
		long more;

		query.next = 0;
		more = tide_pages_get(fix->pages, &query, some, max, &err);
		if (more < 0)
			fail_msg("%s", err.text);
		(*nr_calls)++;
		assert_true((size_t)more <= max);
		assert_true(query.next > query.start && query.next <= query.end);
		for (long i = 0; i < more; i++) {
			assert_true(some[i].start >= query.start && some[i].end <= query.next);
			nr_pages += (some[i].end - some[i].start) / MOSAIC_PAGE;
			nr = append(fix->got, nr, &some[i]);
		}
		assert_true(query.max_pages == 0 || nr_pages <= query.max_pages);
	}
	free(some);
	return nr;
}

static void compare(struct fixture *fix, const struct tide_pages_query *query, size_t nr)
{
	size_t nr_wanted = expect(fix, query);
	size_t i = 0;

	while (i < nr && i < nr_wanted && memcmp(&fix->got[i], &fix->wanted[i], sizeof(fix->got[i])) == 0)
		i++;
	if (i == nr && i == nr_wanted)
		return;
	fail_msg("all of %#lx any of %#lx inverted %#lx returned %#lx: run %zu of %zu is %#lx-%#lx %#lx, "
	         "wanted (of %zu) is %#lx-%#lx %#lx",
	         query->all_of, query->any_of, query->inverted, query->returned, i, nr, i < nr ? fix->got[i].start : 0,
	         i < nr ? fix->got[i].end : 0, i < nr ? fix->got[i].categories : 0, nr_wanted,
	         i < nr_wanted ? fix->wanted[i].start : 0, i < nr_wanted ? fix->wanted[i].end : 0,
	         i < nr_wanted ? fix->wanted[i].categories : 0);
}

static void check(struct fixture *fix, const struct tide_pages_query *query)
{
	unsigned nr_calls;

	compare(fix, query, ask(fix, *query, MAX_RUNS, &nr_calls));
	assert_int_equal(nr_calls, 1);
}

/* A category's part in a query: none, all-of, any-of, or their opposite. */
static void set_role(struct tide_pages_query *query, uint64_t bit, unsigned role)
{
	query->all_of |= role == 1 || role == 2 ? bit : 0;
	query->any_of |= role == 3 || role == 4 ? bit : 0;
	query->inverted |= role == 2 || role == 4 ? bit : 0;
}

static uint64_t random_bit(struct rng *rng, uint64_t known)
{
	uint64_t bit;

	do
		bit = UINT64_C(1) << rng_below(rng, 8);
	while ((bit & known) == 0);
	return bit;
}

/* Every pair of categories in all their roles, and what is random of the rest. */
static unsigned check_masks(struct fixture *fix)
{
	uint64_t known = tide_pages_categories(fix->pages);
	unsigned nr = 0;
	struct rng rng;

	rng_init(&rng, 5);
	for (uint64_t one = 1; one <= TIDE_PAGE_EVERY; one <<= 1) {
		for (uint64_t two = one; two <= TIDE_PAGE_EVERY; two <<= 1) {
			for (unsigned roles = 0; roles < 25 && (one & known) != 0 && (two & known) != 0; roles++) {
				struct tide_pages_query query = query_all();

				set_role(&query, one, roles / 5);
				set_role(&query, two, one == two ? 0 : roles % 5);
				query.returned = rng_next(&rng) & known;
				check(fix, &query);
				nr++;
			}
		}
	}
	for (unsigned i = 0; i < 300; i++, nr++) {
		struct tide_pages_query query = query_all();

		query.returned = rng_next(&rng) & known;
		for (uint64_t n = rng_below(&rng, 6); n > 0; n--)
			set_role(&query, random_bit(&rng, known), (unsigned)rng_below(&rng, 5));
		check(fix, &query);
	}
	return nr;
}

static void C1_every_combination_of_masks_selects_what_it_names(void **unused)
{
	struct fixture *fix = begin(1, true);

	(void)unused;
	if (strcmp(tide_pages_source(fix->pages), "pagemap-scan") != 0)
		print_message("this kernel has no PAGEMAP_SCAN: what it lacks is left out\n");
	if (!fix->mosaic.is_huge)
		print_message("the child was given no huge pages: 'huge' is not met\n");
	if (!fix->mosaic.can_track)
		print_message("no asynchronous write protection: 'wpallowed' is not met\n");
	assert_true(check_masks(fix) > (fix->mosaic.can_track ? 900 : 500));
	end(fix);
}

static void C1_the_fallback_gives_the_same_answers(void **unused)
{
	struct fixture *fix = begin(2, true);

	(void)unused;
	use_pagemap(fix);
	fix->mosaic.written_everywhere = true;
	assert_true(check_masks(fix) > 500);
	end(fix);
}

/* `inverted`: about what is not there, too, but nowhere about what is not mapped. */
static void compare_interfaces(uint64_t inverted)
{
	struct fixture *fix = begin(3, false);
	struct tide_pages_query query = query_all();
	struct tide_page_run *first;
	unsigned nr_calls;
	size_t nr;

	query.start = 0;
	/* The child is a fork of this process, and has the kernel's data at the same place. */
	query.end = vvar_with_pages() != 0 ? vvar_with_pages() : TIDE_PAGES_END;
	query.any_of = TIDE_PAGE_PRESENT | TIDE_PAGE_SWAPPED;
	query.inverted = inverted;
	query.returned = TIDE_PAGE_PRESENT | TIDE_PAGE_SWAPPED | TIDE_PAGE_FILE;
	nr = ask(fix, query, MAX_RUNS, &nr_calls);
	assert_true(nr > 20);
	first = malloc(nr * sizeof(*first));
	assert_non_null(first);
	memcpy(first, fix->got, nr * sizeof(*first));
	use_pagemap(fix);
	assert_int_equal(ask(fix, query, 100, &nr_calls), nr);
	assert_memory_equal(fix->got, first, nr * sizeof(*first));
	free(first);
	end(fix);
}

/* Both interfaces about a whole address space that nobody arranged, but that stands still. */
static void C1_both_interfaces_agree_about_a_whole_process(void **unused)
{
	(void)unused;
	compare_interfaces(0);
	compare_interfaces(TIDE_PAGE_PRESENT);
}

/* However small the pieces, together they are the whole. */
static void check_bounds(struct fixture *fix, struct rng *rng)
{
	struct tide_pages_query query = query_all();
	unsigned nr_calls;
	size_t nr;

	query.returned = rng_next(rng) & tide_pages_categories(fix->pages);
	for (unsigned n = 0; n < 2; n++)
		set_role(&query, random_bit(rng, tide_pages_categories(fix->pages)), (unsigned)rng_below(rng, 5));
	nr = expect(fix, &query);
	for (size_t max = 1; max <= nr + 1; max += max < 8 ? 1 : max / 2)
		compare(fix, &query, ask(fix, query, max, &nr_calls));
	/* Each call but the last gives as much as it may. */
	compare(fix, &query, ask(fix, query, 1, &nr_calls));
	assert_true(nr_calls <= nr + 1);
	for (unsigned n = 0; n < 6; n++) {
		query.max_pages = 1 + rng_below(rng, n < 3 ? 900 : 60);
		compare(fix, &query, ask(fix, query, 1 + rng_below(rng, 40), &nr_calls));
	}
}

static void C1_bounded_calls_resume_to_the_same_union(void **unused)
{
	struct rng rng;

	(void)unused;
	rng_init(&rng, 7);
	for (uint64_t seed = 100; seed < 104; seed++) {
		struct fixture *fix = begin(seed, seed % 4 == 0);

		for (unsigned n = 0; n < 3; n++)
			check_bounds(fix, &rng);
		use_pagemap(fix);
		fix->mosaic.written_everywhere = true;
		check_bounds(fix, &rng);
		end(fix);
	}
}

/* A bound of pages ends a call right behind the last page that fits. */
static void C1_a_bound_of_pages_is_exact(void **unused)
{
	struct fixture *fix = begin(4, true);
	struct tide_pages_query query = query_all();
	struct tide_page_run runs[4];
	struct tide_error err = { 0 };

	(void)unused;
	query.start = MOSAIC_HUGE_AT;
	query.all_of = TIDE_PAGE_PRESENT;
	query.max_pages = 700;
	assert_int_equal(tide_pages_get(fix->pages, &query, runs, 4, &err), 1);
	assert_int_equal(runs[0].start, MOSAIC_HUGE_AT);
	assert_int_equal(runs[0].end, MOSAIC_HUGE_AT + 700 * MOSAIC_PAGE);
	assert_int_equal(query.next, runs[0].end);
	end(fix);
}

/* Only the part that was asked for is looked at, cut in the middle of mappings and huge pages. */
static void C2_a_part_of_an_address_space_is_asked_alone(void **unused)
{
	struct fixture *fix = begin(6, true);
	struct rng rng;

	(void)unused;
	rng_init(&rng, 11);
	for (unsigned i = 0; i < 400; i++) {
		struct tide_pages_query query = query_all();
		unsigned nr_calls;

		query.start += rng_below(&rng, MOSAIC_NR) * MOSAIC_PAGE;
		query.end = query.start + rng_below(&rng, (MOSAIC_END - query.start) / MOSAIC_PAGE + 1) * MOSAIC_PAGE;
		query.any_of = TIDE_PAGE_PRESENT | TIDE_PAGE_SWAPPED;
		query.returned = tide_pages_categories(fix->pages);
		compare(fix, &query, ask(fix, query, MAX_RUNS, &nr_calls));
		if (i == 200) {
			use_pagemap(fix);
			fix->mosaic.written_everywhere = true;
		}
	}
	end(fix);
}

static void wrong_questions_are_refused(void **unused)
{
	struct fixture *fix = begin(8, false);
	struct tide_page_run run;
	struct tide_error err = { 0 };
	struct tide_pages_query query = query_all();

	(void)unused;
	query.start++;
	assert_int_equal(tide_pages_get(fix->pages, &query, &run, 1, &err), -EINVAL);
	assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
	query = query_all();
	query.end = TIDE_PAGES_END + MOSAIC_PAGE;
	assert_int_equal(tide_pages_get(fix->pages, &query, &run, 1, &err), -EINVAL);
	query = query_all();
	query.start = query.end + MOSAIC_PAGE;
	assert_int_equal(tide_pages_get(fix->pages, &query, &run, 1, &err), -EINVAL);
	query = query_all();
	assert_int_equal(tide_pages_get(fix->pages, &query, &run, 0, &err), -EINVAL);
	query.returned = 1 << 8;
	assert_int_equal(tide_pages_get(fix->pages, &query, &run, 1, &err), -EINVAL);
	query.size--;
	assert_int_equal(tide_pages_get(fix->pages, &query, &run, 1, &err), -EINVAL);
	query = query_all();
	query.end = query.start;
	assert_int_equal(tide_pages_get(fix->pages, &query, &run, 1, &err), 0);
	end(fix);
}

/* What cannot be told is not answered with "no". */
static void what_cannot_be_told_is_refused_by_name(void **unused)
{
	struct fixture *fix = begin(9, false);
	struct tide_page_run run;
	struct tide_error err = { 0 };
	uint64_t known;

	(void)unused;
	use_pagemap(fix);
	close_pages(fix);
	setenv("TIDEMARK_FAULT", "no-pagemap-scan,no-soft-dirty", 1);
	open_pages(fix, fix->mosaic.child.pid);
	unsetenv("TIDEMARK_FAULT");
	known = tide_pages_categories(fix->pages);
	assert_int_equal(known, TIDE_PAGE_PRESENT | TIDE_PAGE_SWAPPED | TIDE_PAGE_FILE | TIDE_PAGE_WRITTEN);
	for (unsigned role = 0; role < 4; role++) {
		for (uint64_t bit = 1; bit <= TIDE_PAGE_EVERY; bit <<= 1) {
			struct tide_pages_query query = query_all();
			uint64_t *masks[] = { &query.all_of, &query.any_of, &query.inverted, &query.returned };

			*masks[role] = bit;
			if (bit & known) {
				assert_true(tide_pages_get(fix->pages, &query, &run, 1, &err) >= 0);
				continue;
			}
			assert_int_equal(tide_pages_get(fix->pages, &query, &run, 1, &err), -EOPNOTSUPP);
			assert_int_equal(err.cause, TIDE_CAUSE_UNSUPPORTED);
			assert_non_null(strstr(err.text, tide_page_category_name(bit)));
		}
	}
	end(fix);
}

static void a_process_that_has_gone_has_no_pages(void **unused)
{
	struct fixture *fix = begin(10, false);
	struct tide_page_run run;
	struct tide_error err = { 0 };
	struct tide_pages_query query = query_all();
	struct tide_pages *late = NULL;

	(void)unused;
	assert_int_equal(tide_pages_get(fix->pages, &query, &run, 1, &err), 1);
	child_kill(&fix->mosaic.child);
	assert_true(tide_pages_get(fix->pages, &query, &run, 1, &err) < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	assert_true(tide_pages_open(&late, fix->target, &err) < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	assert_null(late);
	end(fix);
}

/* Asks on until there is something, or nothing more; what the last call returned. */
static long first_run(struct fixture *fix, struct tide_error *err)
{
	struct tide_pages_query query = query_all();
	struct tide_page_run run;
	long result = 0;

	query.end = TIDE_PAGES_END;
	query.all_of = TIDE_PAGE_PRESENT;
	for (query.start = 0; result == 0 && query.start < query.end; query.start = query.next)
		result = tide_pages_get(fix->pages, &query, &run, 1, err);
	return result;
}

static pid_t victim;
static int (*real_ioctl)(int fd, unsigned long request, void *arg);

/* The kernel's answer about memory whose process has just ended, which it gives as if nothing were there. */
static int kill_then_ioctl(int fd, unsigned long request, void *arg)
{
	siginfo_t info;

	if (_IOC_TYPE(request) == 'f' && _IOC_NR(request) == 16 && victim > 0) {
		kill(victim, SIGKILL);
		waitid(P_PID, (id_t)victim, &info, WEXITED | WNOWAIT);
		victim = 0;
	}
	return real_ioctl(fd, request, arg);
}

static void a_process_that_goes_in_the_middle_is_not_empty(void **unused)
{
	struct fixture *fix = begin(12, false);
	struct sys_table table = *sys_table;
	struct tide_page_run run;
	struct tide_error err = { 0 };
	struct tide_pages_query query = query_all();
	long result;

	(void)unused;
	if (strcmp(tide_pages_source(fix->pages), "pagemap-scan") != 0) {
		end(fix);
		skip();
	}
	victim = fix->mosaic.child.pid;
	real_ioctl = table.ioctl;
	table.ioctl = kill_then_ioctl;
	sys_table = &table;
	result = tide_pages_get(fix->pages, &query, &run, 1, &err);
	sys_table = &sys_table_linux;
	assert_int_equal(victim, 0);
	assert_true(result < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	end(fix);
}

#define VAST_START 0x300000000000ul
#define VAST_BYTES (32ul << 30)

static int map_vast(int in, int out, void *unused)
{
	char *memory = mmap((void *)VAST_START, VAST_BYTES, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	(void)unused;
	if (memory != (char *)VAST_START)
		return 1;
	memory[0] = 1;
	memory[VAST_BYTES - 1] = 1;
	child_serve(in, out);
	return 0;
}

static unsigned nr_scans;

static int count_ioctl(int fd, unsigned long request, void *arg)
{
	nr_scans += _IOC_TYPE(request) == 'f' && _IOC_NR(request) == 16;
	return sys_table_linux.ioctl(fd, request, arg);
}

/* A call ends when it has looked at 4 GiB, with what it has; and what is not there costs little. */
static void a_call_looks_at_a_bounded_part(void **unused)
{
	struct fixture *fix = calloc(1, sizeof(*fix));
	struct sys_table table = *sys_table;
	struct tide_pages_query query = query_all();
	unsigned nr_calls;

	(void)unused;
	assert_non_null(fix);
	child_start(&fix->mosaic.child, map_vast, NULL);
	open_pages(fix, fix->mosaic.child.pid);
	query.start = VAST_START - (1ul << 40);
	query.end = VAST_START + (1ul << 40);
	query.all_of = TIDE_PAGE_PRESENT;
	table.ioctl = count_ioctl;
	sys_table = &table;
	assert_int_equal(ask(fix, query, MAX_RUNS, &nr_calls), 2);
	sys_table = &sys_table_linux;
	assert_int_equal(nr_calls, VAST_BYTES >> 32);
	assert_true(nr_scans < 50);
	assert_int_equal(fix->got[0].start, VAST_START);
	assert_int_equal(fix->got[1].end, VAST_START + VAST_BYTES);
	end(fix);
}

static int execute(int in, int out, void *unused)
{
	char in_text[16];
	char out_text[16];

	(void)unused;
	child_say(out);
	child_pause(in);
	snprintf(in_text, sizeof(in_text), "%d", dup(in));
	snprintf(out_text, sizeof(out_text), "%d", dup(out));
	execl("/proc/self/exe", EXEC_ITSELF, in_text, out_text, NULL);
	return 1;
}

static void a_process_that_executed_something_has_gone(void **unused)
{
	struct fixture fix = { 0 };
	struct tide_error err = { 0 };

	(void)unused;
	child_start(&fix.mosaic.child, execute, NULL);
	open_pages(&fix, fix.mosaic.child.pid);
	assert_int_equal(first_run(&fix, &err), 1);
	child_step(&fix.mosaic.child);
	assert_true(first_run(&fix, &err) < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	close_pages(&fix);
	child_end(&fix.mosaic.child);
}

struct ends {
	int in;
	int out;
};

static void *serve(void *arg)
{
	const struct ends *ends = arg;

	child_serve(ends->in, ends->out);
	return NULL;
}

static int lose_main_thread(int in, int out, void *unused)
{
	static struct ends ends;
	pthread_t thread;

	(void)unused;
	ends = (struct ends){ in, out };
	if (pthread_create(&thread, NULL, serve, &ends) != 0)
		return 1;
	syscall(SYS_exit, 0);
	return 1;
}

static void a_process_without_main_thread_has_pages(void **unused)
{
	struct fixture fix = { 0 };
	struct tide_error err = { 0 };

	(void)unused;
	child_start(&fix.mosaic.child, lose_main_thread, NULL);
	open_pages(&fix, fix.mosaic.child.pid);
	assert_int_equal(first_run(&fix, &err), 1);
	close_pages(&fix);
	child_end(&fix.mosaic.child);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(C1_every_combination_of_masks_selects_what_it_names),
		cmocka_unit_test(C1_the_fallback_gives_the_same_answers),
		cmocka_unit_test(C1_both_interfaces_agree_about_a_whole_process),
		cmocka_unit_test(C1_bounded_calls_resume_to_the_same_union),
		cmocka_unit_test(C1_a_bound_of_pages_is_exact),
		cmocka_unit_test(C2_a_part_of_an_address_space_is_asked_alone),
		cmocka_unit_test(wrong_questions_are_refused),
		cmocka_unit_test(what_cannot_be_told_is_refused_by_name),
		cmocka_unit_test(a_process_that_has_gone_has_no_pages),
		cmocka_unit_test(a_process_that_goes_in_the_middle_is_not_empty),
		cmocka_unit_test(a_call_looks_at_a_bounded_part),
		cmocka_unit_test(a_process_that_executed_something_has_gone),
		cmocka_unit_test(a_process_without_main_thread_has_pages),
	};

	if (argc == 3 && strcmp(argv[0], EXEC_ITSELF) == 0)
		child_serve(atoi(argv[1]), atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
