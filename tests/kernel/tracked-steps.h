/* SPDX-License-Identifier: MIT */
/* A target that does as it is told, a sensor on its userfaultfd, and room for checks. */
#ifndef TESTS_KERNEL_TRACKED_STEPS_H
#define TESTS_KERNEL_TRACKED_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tidemark/sensor.h>

#include "child.h"

enum {
	PAGE = 4096,
	HUGE = 2 << 20,
	AREA = 8 << 20, /* of the target's memory that the tests look at */
	NR = AREA / PAGE,
	CHECKS = 512,
};

#define AREA_AT  0x300000000000ul
#define OTHER_AT 0x310000000000ul

/* What the target's area is. */
enum area {
	AREA_PRIVATE,
	AREA_HUGE,
	AREA_SHARED, /* a memfd, every page of it in memory, none of it mapped yet */
	AREA_RAMFS,  /* private, of a file that is not shared memory; needs `path` */
	AREA_SHARED_HUGE,
	AREA_HUGETLB,
	AREA_NONE,   /* private, and all access forbidden */
	AREA_SEALED, /* shared, of a file that is open for reading only; needs `path` */
};

enum errand {
	TOUCH, /* pages from, from + step, ...: reads every other one of them, writes the rest */
	WRITE,
	READ,
	READ_FILE, /* lets the kernel write to them */
	DROP,      /* gives [from, from + nr) up, of private memory */
	CHECK,     /* all pages hold what was written: `ok` says so */
	UNMAP,     /* [from, from + nr) */
	REPLACE,   /* the whole area by new memory, every page written */
	MOVE,      /* the area to OTHER_AT */
	NEW,       /* a new area at OTHER_AT, every page written */
	FORK,      /* the child writes all pages and ends; */
	EXEC,
	EXIT,
	OPEN_UFFD,
};

/* Shared with the target. */
struct script {
	enum area area;
	char path[64];
	enum errand errand;
	size_t from, nr, step;
	bool ok;
	bool is_there; /* the area is what it should be: huge, ... */
	uint64_t at;   /* where the area is */
};

struct fixture {
	struct child child;
	struct script *script;
	struct tide_target *target;
	const struct tide_sensor_ops *ops;
	void *sensor;
	struct tide_check checks[CHECKS];
	struct tide_error err;
	/* Exact mode: what the last scan said of the pages of the area. */
	uint8_t present[NR], young[NR], reason[NR];
	size_t nr_huge; /* huge entries */
};

/* 0 the sensor works here, and sensor_open() opens it; 77, with the reason on stderr, it does not. */
int need_sensor(const char *name);

/* Starts a target; then opens the sensor on it and makes the first update; all of it, aimed at every fourth page. */
void target_start(struct fixture *fix, enum area area, const char *path);
void sensor_open(struct fixture *fix);
void begin(struct fixture *fix, enum area area, const char *path);

/* The sensor alone, which may fail: 0 or negative, with `err` filled. */
int sensor_try_open(struct fixture *fix, struct tide_error *err);
void sensor_close(struct fixture *fix);
void target_end(struct fixture *fix);

/* A teardown: ends the target of a test that failed, whose fixture is static; its descriptors would be the next one's.
 */
int end_last_target(void **unused);

/* Sends the target on an errand, and waits for the end of it. */
void run_errand(struct fixture *fix, enum errand errand, size_t from, size_t nr, size_t step);

void update(struct fixture *fix);
void prepare(struct fixture *fix);
void check(struct fixture *fix);

/* Aims the checks at pages 0, step, 2 * step, ... of the area. */
void aim(struct fixture *fix, size_t step);
size_t count(const struct fixture *fix, enum tide_answer answer, enum tide_reason reason);

/* One pass of exact mode: plans, scans the area, and forgets what was young unless told not to. */
void pass(struct fixture *fix, bool forget);

/* A figure of the target's mapping at the area out of its smaps, in bytes; of its status, in KiB; its maps as text. */
size_t smaps(const struct fixture *fix, const char *field);
long status_kib(const struct fixture *fix, const char *field);
char *maps_text(const struct fixture *fix);

#endif
