/* SPDX-License-Identifier: MIT */
/* A kind of memory in the test: the child that has it, who looks at it, and what they say. */
#ifndef TESTS_KERNEL_KINDS_FIXTURE_H
#define TESTS_KERNEL_KINDS_FIXTURE_H

#include "child.h"
#include "kinds.h"
#include "sensor/walk.h"

#define MAX_CHECKS 128u
/* Categories that say more of the kernel and of trackers than of the memory; test-pages.c has them. */
#define OF_KIND ((uint64_t)TIDE_PAGE_EVERY & ~(uint64_t)(TIDE_PAGE_SOFT_DIRTY | TIDE_PAGE_WRITTEN))

struct fixture {
	const struct kind *kind;
	struct place *place;
	uint64_t granule;
	struct child child;
	struct tide_target *target;
	struct tide_pages *pages;
	const struct tide_sensor_ops *ops;
	struct walk_state *sensor;
	struct tide_check checks[MAX_CHECKS];
	size_t nr_checks;
	struct tide_error err;
};

static inline uint64_t kinds_size(const struct fixture *fix)
{
	return fix->place->end - fix->place->start;
}

/* How many bytes have each category, by its bit. */
struct said {
	uint64_t bytes[16];
	uint64_t known;
};

/* Counts of answers, by whether the page was touched. */
struct answers {
	size_t nr[2];
	size_t idle[2];
	size_t accessed[2];
	size_t reasons[2][TIDE_NR_REASONS];
};

/* kinds-pages.c. Asks both sources, the sums and the tables, and fails where the row is not what they say. */
void kinds_check_pages(struct fixture *fix, struct said *said);

/* kinds-claims.c. Chooses the pages to check; watches them while the child uses the memory or not; judges the answers.
 */
void kinds_aim(struct fixture *fix);
void kinds_watch(struct fixture *fix, bool use, struct answers *answers);
void kinds_expect_claims(const struct fixture *fix, const struct answers *answers, bool used);

#endif
