/* SPDX-License-Identifier: MIT */
/*
 * This program switches on one bug of the past at a time, and says within how many operations of random programs it is
 * found: by the model's invariants, with three operations interleaved at a time; and by lockstep, the model with the
 * bug standing in the place of a kernel that has it.
 *
 * Usage: bugs            prints the table of docs/model.md
 *        bugs --check F  exit 1 when a bug is not found, or F holds another table
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "verify/lockstep.h"
#include "verify/program.h"
#include "verify/side-model.h"

enum {
	NR_SEEDS = 20,
	NR_KERNELS = 6,  /* seeds without a bug: each is another kernel */
	NR_MOST = 10000, /* operations, after which it counts as not found */
	TOGETHER = 3,    /* operations that are interleaved */
};

static const struct bug {
	const char *name;
	const char *sentence;
} bugs[] = { [MODEL_NO_BUG] = { "", "none: nothing is found" },
#define X(name, text) [MODEL_BUG_##name] = { #name, text },
	     MODEL_BUGS(X)
#undef X
};

/* Programs in turn: of everything, and of what happens to the same few things. */
static const unsigned weights[][NR_MODEL_OPS] = {
	{
	        [OP_MAP] = 30,        [OP_UNMAP] = 15,        [OP_READ] = 100,       [OP_WRITE] = 240,
	        [OP_PROTECT] = 40,    [OP_MOVE] = 20,         [OP_DONTNEED] = 40,    [OP_FREE] = 10,
	        [OP_COLD] = 5,        [OP_PAGEOUT] = 5,       [OP_HUGEPAGE] = 15,    [OP_NOHUGEPAGE] = 5,
	        [OP_COLLAPSE] = 25,   [OP_MERGEABLE] = 20,    [OP_UNMERGEABLE] = 6,  [OP_MERGE] = 8,
	        [OP_MIGRATE] = 30,    [OP_FORK] = 14,         [OP_EXIT] = 10,        [OP_PIN] = 30,
	        [OP_UNPIN] = 15,      [OP_DEVICE_WRITE] = 45, [OP_DEVICE_READ] = 15, [OP_REGISTER] = 30,
	        [OP_UNREGISTER] = 4,  [OP_ARM] = 20,          [OP_DISARM] = 5,       [OP_REARM] = 50,
	        [OP_CLEAR_SOFT] = 20, [OP_CLEAR_YOUNG] = 5,   [OP_COLLECT] = 60,     [OP_CLEAR_PART] = 12,
	        [OP_MKOLD] = 15,      [OP_TO_DEVICE] = 10,    [OP_YOUNG] = 20,
	},
	/* Huge pages, tracked and pinned. */
	{
	        [OP_MAP] = 20,
	        [OP_WRITE] = 200,
	        [OP_HUGEPAGE] = 20,
	        [OP_REGISTER] = 60,
	        [OP_ARM] = 10,
	        [OP_REARM] = 60,
	        [OP_COLLECT] = 80,
	        [OP_PIN] = 30,
	        [OP_UNPIN] = 15,
	        [OP_DEVICE_WRITE] = 60,
	        [OP_CLEAR_SOFT] = 10,
	        [OP_DONTNEED] = 5,
	        [OP_FORK] = 2,
	},
	/* Marks, and protections that change below them. */
	{
	        [OP_MAP] = 20,
	        [OP_READ] = 60,
	        [OP_WRITE] = 200,
	        [OP_PROTECT] = 80,
	        [OP_CLEAR_SOFT] = 20,
	        [OP_CLEAR_PART] = 60,
	        [OP_DONTNEED] = 10,
	},
	/* Walks of tables that come and go. */
	{
	        [OP_MAP] = 100,
	        [OP_UNMAP] = 100,
	        [OP_WRITE] = 100,
	        [OP_FORK] = 150,
	        [OP_EXIT] = 150,
	        [OP_MKOLD] = 150,
	        [OP_YOUNG] = 150,
	},
};

#define BIT(op) (UINT64_C(1) << OP_##op)

/* A collect and a scan take each other's marks: a program has one of them. */
static struct program_opts some_opts(uint64_t seed, bool is_kernels)
{
	/* Of hugetlb too little is known: it would only be in the way. */
	uint64_t all = ((UINT64_C(1) << NR_MODEL_OPS) - 1) & ~BIT(MAP_HUGETLB);
	uint64_t scans = BIT(ARM) | BIT(DISARM) | BIT(REARM);

	if (is_kernels)
		all &= (UINT64_C(1) << FIRST_MODEL_OP) - 1;
	return (struct program_opts){ .can = all & ~(seed % 2 == 0 && !is_kernels ? scans : BIT(COLLECT)),
		                      .weights = weights[seed / 2 % (sizeof(weights) / sizeof(weights[0]))],
		                      .advises = true };
}

static size_t make(struct model_op *ops, uint64_t seed, bool is_kernels)
{
	struct program_opts opts = some_opts(seed, is_kernels);
	size_t nr = program_make(ops, seed, &opts);

	/* Few values, so that KSM finds pages that are the same. */
	for (size_t i = 0; i < nr; i++)
		if (ops[i].kind == OP_WRITE && seed % 3 == 0)
			ops[i].value = 1 + ops[i].value % 3;
	return nr;
}

/* Without a bug, as every kernel does it: what holds is to hold in all of them. */
static struct model_opts model_opts(enum model_bug bug, uint64_t seed)
{
	struct model_opts opts = { .bug = bug, .has_soft_dirty = true, .has_huge = true };

	if (bug != MODEL_NO_BUG)
		return opts;
	opts.sharing = (enum model_sharing)(seed % 3);
	opts.frees_tables = opts.zeros_stay_huge = seed & 1;
	opts.splits_map_zeros = opts.reuses_large = seed >> 1 & 1;
	opts.splits_clean = opts.protects_clean = opts.unmerges_by_write = seed >> 2 & 1;
	opts.moves_many = opts.collapses_read_only = opts.moves_mark = !(seed & 1);
	return opts;
}

static void fail(const char *what)
{
	fprintf(stderr, "bugs: %s\n", what);
	exit(2);
}

/* How many operations of one program came before something broke; all of them: nothing did. */
static size_t run_broken(enum model_bug bug, const struct model_op *ops, size_t nr, uint64_t seed)
{
	struct model_opts opts = model_opts(bug, seed);
	struct model_result results[TOGETHER];
	struct model *model;
	size_t i = 0;

	if (model_new(&model, &opts) < 0)
		fail("no memory");
	while (i < nr && model_broken(model) == NULL) {
		size_t together = nr - i < TOGETHER ? nr - i : TOGETHER;

		if (model_run_all(model, &ops[i], together, seed + i, results) < 0)
			fail("operations wait for each other");
		i += together;
	}
	if (model_broken(model) == NULL)
		i = SIZE_MAX;
	model_free(model);
	return i;
}

static size_t find_by_invariants(enum model_bug bug, uint64_t seed)
{
	struct model_op ops[PROGRAM_MAX];
	size_t nr_before = 0;

	for (uint64_t program = seed * 1000; nr_before < NR_MOST; program++) {
		size_t nr = make(ops, program, false);
		size_t found = run_broken(bug, ops, nr, program);

		if (found != SIZE_MAX)
			return nr_before + found;
		nr_before += nr;
	}
	return NR_MOST;
}

/* A tracker's own, or what no call asks for: nothing that a kernel's answer could differ in. */
static bool has_no_call(enum model_bug bug)
{
	return bug == MODEL_BUG_STALE_SOFT || bug == MODEL_BUG_PIN_FORGOTTEN || bug == MODEL_BUG_WALK_UNLOCKED;
}

static size_t find_by_lockstep(enum model_bug bug, uint64_t seed)
{
	struct model_op ops[PROGRAM_MAX];
	struct model_opts wrong = model_opts(bug, seed), right = wrong;
	struct difference difference;
	struct lockstep lockstep;
	struct side_model side;
	size_t nr_before = 0, found = NR_MOST;

	right.bug = MODEL_NO_BUG;
	side_model_init(&side, &wrong);
	lockstep_init(&lockstep, &side.side, &right);
	for (uint64_t program = seed * 1000; nr_before < NR_MOST && found == NR_MOST; program++) {
		size_t nr = make(ops, program, true);
		int result = lockstep_run(&lockstep, ops, nr, &difference);

		if (result < 0)
			fail("lockstep failed");
		if (result > 0)
			found = nr_before + difference.step + 1;
		nr_before += nr;
	}
	lockstep_fini(&lockstep);
	side_model_fini(&side);
	return found;
}

static int by_size(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

/* NR_MOST: most seeds did not find it; where nothing is to be found, none did. */
static size_t median(size_t (*find)(enum model_bug, uint64_t), enum model_bug bug, unsigned nr_seeds)
{
	size_t found[NR_SEEDS];

	for (unsigned i = 0; i < nr_seeds; i++)
		found[i] = find(bug, i + 1);
	qsort(found, nr_seeds, sizeof(found[0]), by_size);
	return found[bug == MODEL_NO_BUG ? 0 : nr_seeds / 2];
}

static void print_number(FILE *out, size_t nr)
{
	if (nr >= NR_MOST)
		fprintf(out, " - |");
	else
		fprintf(out, " %zu |", nr);
}

/* Whether each bug is found, and nothing without one. */
static bool print_table(FILE *out)
{
	bool good = true;

	fprintf(out, "| bug | by invariants | by lockstep |\n|---|---|---|\n");
	for (enum model_bug bug = MODEL_NO_BUG; bug < MODEL_NR_BUGS; bug++) {
		/* Without a bug every seed goes on to the end. */
		unsigned nr_seeds = bug == MODEL_NO_BUG ? NR_KERNELS : NR_SEEDS;
		size_t broken = median(find_by_invariants, bug, nr_seeds);
		size_t differs = has_no_call(bug) ? NR_MOST : median(find_by_lockstep, bug, nr_seeds);

		good = good && (bug == MODEL_NO_BUG) == (broken >= NR_MOST && differs >= NR_MOST);
		fprintf(out, "| %s |", bugs[bug].sentence);
		print_number(out, broken);
		print_number(out, differs);
		fprintf(out, "\n");
		fprintf(stderr, "%s %zu %zu\n", bugs[bug].name, broken, differs);
	}
	return good;
}

static bool holds(const char *path, const char *text)
{
	char *all = NULL;
	size_t size = 0;
	FILE *file = fopen(path, "re");
	bool result = file != NULL && getdelim(&all, &size, 0, file) > 0 && strstr(all, text) != NULL;

	if (file != NULL)
		fclose(file);
	free(all);
	return result;
}

int main(int argc, char **argv)
{
	bool is_check = argc == 3 && strcmp(argv[1], "--check") == 0;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool good;

	if (out == NULL || (argc != 1 && !is_check)) {
		fprintf(stderr, "usage: bugs [--check FILE]\n");
		return 2;
	}
	good = print_table(out);
	fclose(out);
	printf("%s", text);
	if (!good)
		fprintf(stderr, "bugs: not each is found, or something is found where none is\n");
	if (is_check && !holds(argv[2], text)) {
		fprintf(stderr, "bugs: the table of %s is not this one\n", argv[2]);
		good = false;
	}
	free(text);
	return good ? 0 : 1;
}
