/* SPDX-License-Identifier: MIT */
/* This file holds the programs that have a name: the hard cases, each as short as it can be. */
#include <string.h>

#include "verify/program.h"

#define BOTH (MODEL_READ | MODEL_WRITE)

#define STEP(...)                                                                                                      \
	{                                                                                                              \
		__VA_ARGS__                                                                                            \
	}

/* at: the first page; n: how many; v: a value; k: MODEL_ANON and others; OP: a kind of operation. */
#define MAP(at, n, k)       STEP(.kind = OP_MAP, .page = at, .nr = n, .flags = k, .value = BOTH)
#define POOL(at, n)         STEP(.kind = OP_MAP_HUGETLB, .page = at, .nr = n, .value = BOTH)
#define ON(OP, at, n)       STEP(.kind = OP_##OP, .page = at, .nr = n)
#define ALONE(OP)           STEP(.kind = OP_##OP)
#define READ(at)            STEP(.kind = OP_READ, .page = at, .nr = 1)
#define WRITE(at, v)        STEP(.kind = OP_WRITE, .page = at, .nr = 1, .value = v)
#define CHILD_READ(at)      STEP(.kind = OP_READ, .process = 1, .page = at, .nr = 1)
#define CHILD_WRITE(at, v)  STEP(.kind = OP_WRITE, .process = 1, .page = at, .nr = 1, .value = v)
#define FORK                STEP(.kind = OP_FORK, .to = 1)
#define CHILD_EXIT          STEP(.kind = OP_EXIT, .process = 1)
#define MOVE(at, n, where)  STEP(.kind = OP_MOVE, .page = at, .nr = n, .to = where)
#define PIN(at, n)          STEP(.kind = OP_PIN, .page = at, .nr = n)
#define UNPIN               STEP(.kind = OP_UNPIN, .nr = 1)
#define DEVICE_WRITE(at, v) STEP(.kind = OP_DEVICE_WRITE, .page = at, .nr = 1, .value = v)
#define DEVICE_READ(at)     STEP(.kind = OP_DEVICE_READ, .page = at, .nr = 1)
#define PROTECT(at, n, v)   STEP(.kind = OP_PROTECT, .page = at, .nr = n, .value = v)

/* The device's data are seen by the parent; the child keeps what was there. */
static const struct model_op pinned_fork[] = {
	MAP(0, 8, MODEL_ANON),
	WRITE(3, 1),
	PIN(3, 1),
	FORK,
	WRITE(3, 2),
	DEVICE_WRITE(0, 3),
	READ(3),
	DEVICE_READ(0),
	CHILD_READ(3),
	CHILD_WRITE(3, 4),
	READ(3),
	DEVICE_WRITE(0, 5),
	READ(3),
	UNPIN,
	CHILD_READ(3),
};

static const struct model_op pinned_huge_fork[] = {
	MAP(0, 512, MODEL_ANON),
	ON(HUGEPAGE, 0, 512),
	WRITE(3, 1),
	PIN(0, 512),
	FORK,
	WRITE(3, 2),
	DEVICE_WRITE(3, 3),
	READ(3),
	CHILD_READ(3),
	CHILD_WRITE(4, 4),
	READ(4),
};

/* A device's write goes past the page tables: no tracker is told. */
static const struct model_op lost_device_write[] = {
	MAP(0, 8, MODEL_ANON), ON(REGISTER, 0, 8), WRITE(2, 1), ON(REARM, 0, 8), PIN(2, 1),       ON(REARM, 0, 8),
	DEVICE_WRITE(0, 2),    ON(REARM, 0, 8),    READ(2),     WRITE(2, 3),     ON(REARM, 0, 8), ON(REARM, 0, 8),
};

static const struct model_op huge_split[] = {
	MAP(0, 512, MODEL_ANON),   ON(HUGEPAGE, 0, 512), WRITE(7, 1),  ON(DONTNEED, 100, 1), WRITE(100, 2), READ(7),
	PROTECT(8, 4, MODEL_READ), WRITE(8, 3),          WRITE(12, 4), MOVE(200, 8, 600),    READ(603),
};

/* A clear and its next write, on either side of the split. */
static const struct model_op huge_split_armed[] = {
	MAP(0, 512, MODEL_ANON),
	ON(HUGEPAGE, 0, 512),
	WRITE(7, 1),
	ON(REGISTER, 0, 512),
	ON(REARM, 0, 512),
	WRITE(9, 2),
	ON(DONTNEED, 100, 1),
	ON(REARM, 0, 512),
	WRITE(100, 3),
	READ(11),
	ON(REARM, 0, 512),
	ON(COLLAPSE, 0, 512),
	WRITE(8, 4),
	ON(REARM, 0, 512),
};

static const struct model_op huge_split_soft[] = {
	MAP(0, 512, MODEL_ANON), ON(HUGEPAGE, 0, 512), WRITE(7, 1),   ALONE(CLEAR_SOFT), WRITE(9, 2),
	ON(DONTNEED, 100, 1),    ALONE(CLEAR_SOFT),    WRITE(100, 3), WRITE(7, 4),
};

static const struct model_op moved[] = {
	MAP(0, 8, MODEL_ANON), WRITE(1, 1), ON(REGISTER, 0, 8), ON(REARM, 0, 8), WRITE(2, 2),
	MOVE(0, 8, 64),        READ(65),    READ(66),           WRITE(65, 3),    READ(1),
	MAP(0, 8, MODEL_ANON), WRITE(0, 4),
};

static const struct model_op moved_huge[] = {
	MAP(0, 512, MODEL_ANON),
	ON(HUGEPAGE, 0, 512),
	WRITE(1, 1),
	MOVE(0, 512, 1024),
	READ(1025),
	MOVE(1024, 512, 3),
	READ(4),
	WRITE(5, 2),
	MOVE(3, 512, 512),
	READ(513),
	WRITE(513, 3),
};

/* Where nothing is, there is nothing to report twice. */
static const struct model_op hole[] = {
	MAP(0, 512, MODEL_ANON),
	ON(NOHUGEPAGE, 0, 512),
	ON(REGISTER, 0, 512),
	ON(REARM, 0, 512),
	ON(REARM, 0, 512),
	WRITE(3, 1),
	ON(REARM, 0, 512),
	ON(DONTNEED, 0, 8),
	ON(REARM, 0, 512),
	READ(3),
	WRITE(4, 2),
	ON(REARM, 0, 512),
};

static const struct model_op zero_page[] = {
	MAP(0, 512, MODEL_ANON),
	ON(NOHUGEPAGE, 0, 512),
	READ(1),
	READ(2),
	WRITE(1, 1),
	FORK,
	CHILD_READ(2),
	CHILD_WRITE(2, 2),
	READ(2),
	MAP(512, 512, MODEL_ANON),
	ON(HUGEPAGE, 512, 512),
	READ(512),
	WRITE(513, 3),
	READ(512),
};

static const struct model_op fork_writes[] = {
	MAP(0, 8, MODEL_ANON), WRITE(1, 1), WRITE(2, 2), FORK,        WRITE(1, 3), CHILD_READ(1),
	CHILD_WRITE(2, 4),     READ(2),     CHILD_EXIT,  WRITE(2, 5), READ(2),
};

static const struct model_op fork_huge[] = {
	MAP(0, 512, MODEL_ANON), ON(HUGEPAGE, 0, 512), WRITE(1, 1), FORK,       WRITE(1, 2),
	CHILD_READ(1),           CHILD_WRITE(2, 3),    READ(2),     CHILD_EXIT, WRITE(3, 4),
};

static const struct model_op fork_hugetlb[] = {
	POOL(0, 512), READ(2),           WRITE(1, 1), FORK, CHILD_READ(1), CHILD_WRITE(1, 2), READ(1),
	WRITE(3, 3),  CHILD_READ(3),     CHILD_EXIT,  FORK, WRITE(1, 4),   CHILD_READ(1),     ON(DONTNEED, 0, 512),
	READ(1),      CHILD_WRITE(1, 5),
};

/* Its pages are copied for the child whole, and stay what they are. */
static const struct model_op pinned_hugetlb[] = {
	POOL(0, 512),  WRITE(3, 1),       PIN(3, 2), FORK,           WRITE(3, 2),       DEVICE_WRITE(0, 3), READ(3),
	CHILD_READ(3), CHILD_WRITE(4, 4), READ(4),   DEVICE_READ(1), ON(UNMAP, 0, 512), DEVICE_WRITE(0, 5), UNPIN,
};

/* Protection is the parent's alone; what the child has of it is gone. */
static const struct model_op fork_armed[] = {
	MAP(0, 8, MODEL_ANON), WRITE(1, 1),     WRITE(2, 2), ON(REGISTER, 0, 8), ON(REARM, 0, 8), FORK,
	CHILD_WRITE(1, 3),     ON(REARM, 0, 8), WRITE(1, 4), WRITE(2, 5),        ON(REARM, 0, 8),
};

static const struct model_op shared_memory[] = {
	MAP(0, 16, MODEL_SHARED),
	WRITE(1, 1),
	FORK,
	CHILD_READ(1),
	CHILD_WRITE(1, 2),
	READ(1),
	ON(DONTNEED, 0, 16),
	READ(1),
	ON(REGISTER, 0, 16),
	ON(REARM, 0, 16),
	CHILD_WRITE(2, 3),
	READ(2),
	ON(REARM, 0, 16),
	WRITE(2, 4),
	ON(REARM, 0, 16),
};

static const struct model_op file_private[] = {
	MAP(0, 16, MODEL_FILE), READ(1),     WRITE(1, 1),        READ(2), ON(REGISTER, 0, 16),
	ON(REARM, 0, 16),       WRITE(3, 2), ON(DONTNEED, 1, 1), READ(1), ON(REARM, 0, 16),
};

static const struct model_op collapse[] = {
	MAP(0, 512, MODEL_ANON),
	ON(NOHUGEPAGE, 0, 512),
	WRITE(3, 1),
	WRITE(4, 2),
	ON(HUGEPAGE, 0, 512),
	ON(COLLAPSE, 0, 512),
	READ(3),
	READ(5),
	WRITE(6, 3),
	FORK,
	CHILD_WRITE(3, 4),
	READ(3),
};

static const struct model_op merged[] = {
	MAP(0, 16, MODEL_ANON),
	WRITE(1, 1),
	WRITE(2, 1),
	ON(MERGEABLE, 0, 16),
	ALONE(MERGE),
	READ(1),
	READ(2),
	WRITE(1, 2),
	READ(2),
	ON(UNMERGEABLE, 0, 16),
	READ(2),
};

/* Who only pins, and does not write, may not lose the page to KSM. */
static const struct model_op merged_pinned[] = {
	MAP(0, 16, MODEL_ANON), WRITE(1, 1), WRITE(2, 1), ON(MERGEABLE, 0, 16), PIN(1, 1), ALONE(MERGE),
	DEVICE_WRITE(0, 3),     READ(1),     READ(2),
};

static const struct model_op migrated[] = {
	MAP(0, 16, MODEL_ANON),
	WRITE(1, 1),
	ON(REGISTER, 0, 16),
	ON(REARM, 0, 16),
	WRITE(2, 2),
	ON(MIGRATE, 0, 16),
	ON(REARM, 0, 16),
	READ(1),
	WRITE(1, 3),
	PIN(3, 1),
	ON(MIGRATE, 0, 16),
	DEVICE_WRITE(0, 4),
	READ(3),
};

static const struct model_op swapped[] = {
	MAP(0, 16, MODEL_ANON), WRITE(1, 1),      WRITE(2, 2), ON(REGISTER, 0, 16), ON(REARM, 0, 16), WRITE(2, 3),
	ON(PAGEOUT, 0, 16),     ON(REARM, 0, 16), READ(1),     WRITE(1, 4),         ON(REARM, 0, 16), FORK,
	CHILD_READ(2),
};

#define CASE(name, ops, sentence)                                                                                      \
	{                                                                                                              \
		name, sentence, ops, sizeof(ops) / sizeof(ops[0])                                                      \
	}

const struct program_case program_cases[] = {
	CASE("pinned-fork", pinned_fork, "after fork a device and its process still mean the same page"),
	CASE("pinned-huge-fork", pinned_huge_fork, "the same of a huge page"),
	CASE("lost-device-write", lost_device_write, "a device's write to a pinned page is not reported"),
	CASE("huge-split", huge_split, "a huge page is split by what touches a part of it"),
	CASE("huge-split-armed", huge_split_armed, "protection and reports around the split of a huge page"),
	CASE("huge-split-soft", huge_split_soft, "soft-dirty bits around the split of a huge page"),
	CASE("moved", moved, "memory that is tracked moves to another address"),
	CASE("moved-huge", moved_huge, "huge pages move, to a boundary and beside one"),
	CASE("hole", hole, "what was never touched, and what was dropped, is reported once"),
	CASE("zero-page", zero_page, "reads of what was never written"),
	CASE("fork", fork_writes, "who writes after fork gets a page of its own"),
	CASE("fork-huge", fork_huge, "the same of a huge page"),
	CASE("fork-hugetlb", fork_hugetlb, "the same of a page of hugetlb's pool"),
	CASE("pinned-hugetlb", pinned_hugetlb, "a pinned page of hugetlb's pool after fork"),
	CASE("fork-armed", fork_armed, "write protection over fork"),
	CASE("shared", shared_memory, "memory that two processes share"),
	CASE("file", file_private, "private pages of a file"),
	CASE("collapse", collapse, "small pages become a huge one"),
	CASE("merged", merged, "KSM merges what is alike, and a write parts it"),
	CASE("merged-pinned", merged_pinned, "KSM leaves alone what is pinned"),
	CASE("migrated", migrated, "pages go to the other memory node"),
	CASE("swapped", swapped, "pages go to swap, and come back"),
	{ 0 },
};

const struct program_case *program_find(const char *name)
{
	for (const struct program_case *it = program_cases; it->name != NULL; it++)
		if (strcmp(it->name, name) == 0)
			return it;
	return NULL;
}

uint64_t program_kinds(const struct model_op *ops, size_t nr)
{
	uint64_t kinds = 0;

	for (size_t i = 0; i < nr; i++)
		kinds |= UINT64_C(1) << ops[i].kind;
	return kinds;
}
