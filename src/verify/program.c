/* SPDX-License-Identifier: MIT */
/*
 * This file makes random programs. Most operations are to meet something: it keeps an idea of what is mapped, without
 * knowing whether an operation will succeed, and of a few places that it comes back to, as what is wrong shows where
 * much happens to the same pages.
 */
#include "verify/program.h"

#include <string.h>

#include "base/rng.h"

enum {
	NR_SPOTS = 5,
	SHORTEST = 48,
	ALIKE_FROM = 1u << 20, /* values that are written more than once */
	NR_ALIKE = 3,
};

struct maker {
	struct rng rng;
	const struct program_opts *opts;
	uint64_t can; /* of opts->can, in this program */
	struct model_op *ops;
	size_t nr;
	bool there[MODEL_PROCESSES];
	bool mapped[MODEL_PROCESSES][MODEL_PAGES];
	uint32_t pinned[MODEL_PROCESSES][MODEL_PINS]; /* pages of each fixed buffer; 0: it is free */
	uint32_t spots[NR_SPOTS];
};

static uint32_t below(struct maker *maker, uint32_t bound)
{
	return (uint32_t)rng_below(&maker->rng, bound);
}

static bool percent(struct maker *maker, uint32_t of_hundred)
{
	return below(maker, 100) < of_hundred;
}

/* How often each kind is wanted. Those that cost much, or end much, are rare. */
static const unsigned weights[NR_MODEL_OPS] = {
	[OP_MAP] = 30,        [OP_UNMAP] = 10,        [OP_READ] = 120,       [OP_WRITE] = 260,    [OP_PROTECT] = 30,
	[OP_MOVE] = 30,       [OP_DONTNEED] = 40,     [OP_FREE] = 15,        [OP_COLD] = 10,      [OP_PAGEOUT] = 30,
	[OP_HUGEPAGE] = 20,   [OP_NOHUGEPAGE] = 8,    [OP_COLLAPSE] = 25,    [OP_MERGEABLE] = 15, [OP_UNMERGEABLE] = 6,
	[OP_MERGE] = 2,       [OP_MIGRATE] = 30,      [OP_FORK] = 14,        [OP_EXIT] = 10,      [OP_PIN] = 25,
	[OP_UNPIN] = 12,      [OP_DEVICE_WRITE] = 45, [OP_DEVICE_READ] = 20, [OP_REGISTER] = 25,  [OP_UNREGISTER] = 6,
	[OP_ARM] = 20,        [OP_DISARM] = 10,       [OP_REARM] = 60,       [OP_SCAN] = 20,      [OP_CLEAR_SOFT] = 15,
	[OP_CLEAR_YOUNG] = 5, [OP_COLLECT] = 20,      [OP_CLEAR_PART] = 15,  [OP_TO_DEVICE] = 10, [OP_MKOLD] = 10,
	[OP_YOUNG] = 10,      [OP_MAP_HUGETLB] = 8,
};

static enum model_op_kind some_kind(struct maker *maker)
{
	const unsigned *wanted = maker->opts->weights != NULL ? maker->opts->weights : weights;
	uint32_t sum = 0, at;
	int kind = 0;

	for (int i = 0; i < NR_MODEL_OPS; i++)
		sum += (maker->can >> i & 1) != 0 ? wanted[i] : 0;
	at = below(maker, sum);
	for (;; kind++) {
		uint32_t weight = (maker->can >> kind & 1) != 0 ? wanted[kind] : 0;

		if (at < weight)
			return (enum model_op_kind)kind;
		at -= weight;
	}
}

/* Near a spot, or anywhere; the next mapped page from there on, most of the time. */
static uint32_t some_page(struct maker *maker, unsigned process)
{
	uint32_t page =
	        percent(maker, 75) ? maker->spots[below(maker, NR_SPOTS)] + below(maker, 4) : below(maker, MODEL_PAGES);

	page %= MODEL_PAGES;
	if (percent(maker, 6))
		return page;
	for (uint32_t i = 0; i < MODEL_PAGES; i++)
		if (maker->mapped[process][(page + i) % MODEL_PAGES])
			return (page + i) % MODEL_PAGES;
	return page;
}

/* How many pages from `page` on are of the same answer: mapped or not. */
static uint32_t piece(const struct maker *maker, unsigned process, uint32_t page)
{
	uint32_t end = page + 1;

	while (end < MODEL_PAGES && maker->mapped[process][end] == maker->mapped[process][page])
		end++;
	return end - page;
}

/* A range that is small, some huge page or its half, a whole piece of mapped memory, or much. */
static void some_range(struct maker *maker, struct model_op *op)
{
	uint32_t sort = below(maker, 100);
	uint32_t huge;

	op->page = some_page(maker, op->process);
	huge = op->page / MODEL_HUGE * MODEL_HUGE;
	if (sort < 45) {
		op->nr = 1 + below(maker, 4);
	} else if (sort < 60) {
		op->nr = 1 + below(maker, 64);
	} else if (sort < 80) {
		op->page = huge;
		op->nr = MODEL_HUGE;
	} else if (sort < 88) {
		op->page = huge;
		op->nr = 1 + below(maker, MODEL_HUGE);
	} else if (sort < 96) {
		op->nr = piece(maker, op->process, op->page);
	} else {
		op->nr = 1 + below(maker, 2 * MODEL_HUGE);
	}
	if (op->nr > MODEL_PAGES - op->page)
		op->nr = MODEL_PAGES - op->page;
}

static unsigned some_process(struct maker *maker)
{
	unsigned process;

	do
		process = below(maker, MODEL_PROCESSES);
	while (!maker->there[process]);
	return process;
}

static void push(struct maker *maker, const struct model_op *op)
{
	if (maker->nr < PROGRAM_MAX && (maker->can >> op->kind & 1) != 0)
		maker->ops[maker->nr++] = *op;
}

static void map(struct maker *maker, struct model_op *op)
{
	struct model_op advice = { .process = op->process, .page = op->page, .nr = op->nr };
	uint32_t sort = below(maker, 100);

	op->flags = sort < 70 ? MODEL_ANON : sort < 85 ? MODEL_SHARED : MODEL_FILE;
	op->value = percent(maker, 88) ? MODEL_READ | MODEL_WRITE : below(maker, 4);
	push(maker, op);
	memset(&maker->mapped[op->process][op->page], true, op->nr);
	advice.kind = percent(maker, 65) ? OP_HUGEPAGE : OP_NOHUGEPAGE;
	if (maker->opts->advises || percent(maker, 50))
		push(maker, &advice);
}

/* The huge page in which the operation begins, or that and the next. */
static void map_hugetlb(struct maker *maker, struct model_op *op)
{
	op->page = op->page / MODEL_HUGE * MODEL_HUGE;
	op->nr = MODEL_HUGE;
	if (percent(maker, 30) && op->page + 2 * MODEL_HUGE <= MODEL_PAGES)
		op->nr = 2 * MODEL_HUGE;
	op->value = percent(maker, 88) ? MODEL_READ | MODEL_WRITE : below(maker, 4);
	push(maker, op);
	memset(&maker->mapped[op->process][op->page], true, op->nr);
}

static void move(struct maker *maker, struct model_op *op)
{
	bool *mapped = maker->mapped[op->process];

	if (op->nr > MODEL_PAGES / 2)
		op->nr = MODEL_PAGES / 2;
	op->to = below(maker, MODEL_PAGES - op->nr + 1);
	/* Huge pages go whole where both places begin at a boundary; and half of the time it goes where nothing is. */
	if (percent(maker, 50))
		op->to = op->to / MODEL_HUGE * MODEL_HUGE + op->page % MODEL_HUGE;
	if (op->to + op->nr > MODEL_PAGES)
		op->to = MODEL_PAGES - op->nr;
	op->flags = percent(maker, 20);
	push(maker, op);
	for (uint32_t i = 0; i < op->nr; i++)
		mapped[op->to + i] = true;
	for (uint32_t i = 0; i < op->nr; i++)
		if (op->flags == 0 && (op->page + i < op->to || op->page + i >= op->to + op->nr))
			mapped[op->page + i] = false;
	maker->spots[below(maker, NR_SPOTS)] = op->to;
}

static void split(struct maker *maker, struct model_op *op)
{
	for (op->to = 1; op->to < MODEL_PROCESSES && maker->there[op->to];)
		op->to++;
	if (op->to == MODEL_PROCESSES)
		return;
	push(maker, op);
	maker->there[op->to] = true;
	memcpy(maker->mapped[op->to], maker->mapped[op->process], sizeof(maker->mapped[0]));
	memset(maker->pinned[op->to], 0, sizeof(maker->pinned[0]));
}

static void end(struct maker *maker, struct model_op *op)
{
	if (op->process == 0)
		return;
	push(maker, op);
	maker->there[op->process] = false;
}

static void device(struct maker *maker, struct model_op *op)
{
	uint32_t *pinned = &maker->pinned[op->process][below(maker, MODEL_PINS)];

	op->to = (uint32_t)(pinned - maker->pinned[op->process]);
	if (op->kind == OP_PIN && *pinned == 0) {
		/* Seldom much: what is pinned is faulted in. */
		if (op->nr > 16 && percent(maker, 70))
			op->nr = 1 + op->nr % 16;
		push(maker, op);
		*pinned = op->nr;
	} else if (op->kind != OP_PIN && *pinned != 0) {
		op->page = below(maker, *pinned);
		op->nr = 1;
		push(maker, op);
		if (op->kind == OP_UNPIN)
			*pinned = 0;
	}
}

/* One category or two are wanted or not, of all or of any; no more than half of them inverted. */
static uint64_t some_masks(struct maker *maker)
{
	static const uint64_t asks[] = { ASK_FILE, ASK_PRESENT, ASK_SWAPPED, ASK_ZERO, ASK_HUGE };
	uint64_t first = asks[below(maker, 5)], second = asks[below(maker, 5)];
	uint64_t inverted = percent(maker, 50) ? first : percent(maker, 30) ? second : 0;

	return percent(maker, 60) ? MODEL_ASK(first | second, 0, inverted) : MODEL_ASK(0, first | second, inverted);
}

/* A new one, as a write that is lost shows by it; but pages that are to merge are alike. */
static uint64_t some_value(struct maker *maker)
{
	bool can_merge = (maker->can >> OP_MERGE & 1) != 0;

	return can_merge && percent(maker, 20) ? ALIKE_FROM + below(maker, NR_ALIKE) : maker->nr + 1;
}

static void one(struct maker *maker)
{
	struct model_op op = { .kind = some_kind(maker), .process = some_process(maker) };

	some_range(maker, &op);
	switch (op.kind) {
	case OP_MAP:
		map(maker, &op);
		return;
	case OP_MAP_HUGETLB:
		map_hugetlb(maker, &op);
		return;
	case OP_MOVE:
		move(maker, &op);
		return;
	case OP_FORK:
		split(maker, &op);
		return;
	case OP_EXIT:
		end(maker, &op);
		return;
	case OP_PIN:
	case OP_UNPIN:
	case OP_DEVICE_READ:
	case OP_DEVICE_WRITE:
		op.value = maker->nr + 1;
		device(maker, &op);
		return;
	case OP_WRITE:
		op.nr = 1;
		op.value = some_value(maker);
		break;
	case OP_MKOLD:
	case OP_YOUNG:
	case OP_READ:
		op.nr = 1;
		break;
	case OP_PROTECT:
		op.value = percent(maker, 50) ? MODEL_READ | MODEL_WRITE : below(maker, 4);
		break;
	case OP_SCAN:
		op.value = some_masks(maker);
		break;
	case OP_COLLAPSE:
		op.page = op.page / MODEL_HUGE * MODEL_HUGE;
		op.nr = MODEL_HUGE;
		break;
	case OP_UNMAP:
		memset(&maker->mapped[op.process][op.page], false, op.nr);
		break;
	default:
		break;
	}
	push(maker, &op);
}

static void begin(struct maker *maker)
{
	struct model_op op = { .kind = OP_MAP };

	for (uint32_t i = 0; i < NR_SPOTS; i++)
		maker->spots[i] = below(maker, MODEL_PAGES / 4) * 4;
	maker->there[0] = true;
	for (uint32_t i = 0; i < 2 + below(maker, 3); i++) {
		/* Around a spot: the huge page that it is in, or two, or some pages. */
		op.page = maker->spots[i] / MODEL_HUGE * MODEL_HUGE;
		op.nr = MODEL_HUGE;
		if (percent(maker, 30)) {
			op.page = maker->spots[i];
			op.nr = 4 + below(maker, 60);
		}
		if (op.nr > MODEL_PAGES - op.page)
			op.nr = MODEL_PAGES - op.page;
		map(maker, &op);
	}
}

size_t program_make(struct model_op *ops, uint64_t seed, const struct program_opts *opts)
{
	struct maker maker = { .opts = opts, .can = opts->can, .ops = ops };
	size_t wanted;

	rng_init(&maker.rng, seed);
	/* Much cannot be done to pages of hugetlb: they take the place of others in some programs only. */
	if ((opts->can >> OP_MAP_HUGETLB & 1) != 0 && !percent(&maker, 25))
		maker.can &= ~(UINT64_C(1) << OP_MAP_HUGETLB);
	wanted = SHORTEST + below(&maker, PROGRAM_MAX - SHORTEST - 8);
	begin(&maker);
	while (maker.nr < wanted)
		one(&maker);
	return maker.nr;
}
