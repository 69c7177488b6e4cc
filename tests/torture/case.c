/* SPDX-License-Identifier: MIT */
/* This file runs one case: free running with collects in between, then a stop and a judgement, a few times. */
#include "case.h"

#include <string.h>

#include "base/rng.h"

enum {
	MAX_RANGES = 64,
	MOST_OPS = 400,
};

struct scene {
	const struct case_opts *opts;
	struct rng rng;  /* what happens */
	struct rng pace; /* when it is looked at: as often as the machine allows, so not repeatable */
	struct rig rig;
	struct oracle oracle;
	struct oracle beside;
	struct tide_range ranges[MAX_RANGES];
	struct tracker_opts ask;
};

static uint64_t below(struct scene *scene, uint64_t bound)
{
	return rng_below(&scene->rng, bound);
}

static size_t some_max(struct scene *scene)
{
	return (size_t)8 << rng_below(&scene->pace, 10);
}

static const char *choose_pins(struct scene *scene)
{
	unsigned flags = scene->rig.hello.flags;
	uint64_t die = below(scene, 4);

	if (scene->opts->pins != NULL)
		return scene->opts->pins;
	if ((flags & OP_SHORT_PINS) != 0)
		return "walker";
	if ((flags & OP_PINS) != 0)
		return die == 0 ? "fdinfo" : "walker";
	return die < 2 ? "none" : "walker";
}

/* Pieces of about half of the mappings there are. */
static void choose_ranges(struct scene *scene)
{
	static struct vmas vmas;
	struct proc proc;
	size_t nr = 0;

	proc_open(&proc, scene->rig.pid);
	proc_vmas(&proc, &vmas);
	proc_close(&proc);
	for (size_t i = 0; i < vmas.nr && nr < MAX_RANGES; i++) {
		uint64_t nr_pages = (vmas.vma[i].end - vmas.vma[i].start) / PAGE;
		uint64_t first = below(scene, 2) == 0 ? 0 : below(scene, nr_pages);
		uint64_t end = below(scene, 2) == 0 ? nr_pages : first + 1 + below(scene, nr_pages - first);

		if (!vmas.vma[i].special && below(scene, 2) == 0)
			scene->ranges[nr++] =
			        (struct tide_range){ vmas.vma[i].start + first * PAGE, vmas.vma[i].start + end * PAGE };
	}
	if (nr == 0)
		return;
	scene->ask.ranges = scene->ranges;
	scene->ask.nr_ranges = nr;
	scene->ask.arm_holes = (uint32_t)below(scene, 2);
}

static int begin(struct scene *scene, struct tide_error *err)
{
	const struct case_opts *opts = scene->opts;
	bool held = below(scene, 2) == 0;
	int result;

	rig_start(&scene->rig, opts->mutator, opts->seed, opts->family, opts->tracker->own_uffd);
	scene->ask.pins = choose_pins(scene);
	if (opts->tracker->takes_ranges && (below(scene, 4) == 0 || opts->ranges))
		choose_ranges(scene);
	if (held)
		rig_hold(&scene->rig);
	rig_run(&scene->rig, (unsigned)below(scene, MOST_OPS));
	result = oracle_init(&scene->oracle, &scene->rig, opts->tracker, &scene->ask, err);
	scene->oracle.silent = opts->silent;
	if (result == 0 && opts->beside != NULL)
		result = oracle_init(&scene->beside, &scene->rig, opts->beside, &(struct tracker_opts){ 0 }, err);
	if (opts->opened != NULL)
		opts->opened();
	if (held)
		rig_release(&scene->rig);
	return result;
}

/* Collects while the mutator runs, until it has done what it was told. */
static void run_free(struct scene *scene)
{
	int pause_ms = (int)below(scene, 4);

	while (!rig_done(&scene->rig, rng_below(&scene->pace, 4) == 0 ? pause_ms : 0))
		if (!scene->opts->tracker->held_only)
			oracle_collect(&scene->oracle, some_max(scene));
}

static void add(struct score *sum, const struct score *one)
{
	const uint64_t *from = (const uint64_t *)one;
	uint64_t *to = (uint64_t *)sum;

	for (size_t i = 0; i < sizeof(*one) / sizeof(*from); i++)
		to[i] += from[i];
}

static void play(struct scene *scene)
{
	uint64_t nr_rounds = 2 + below(scene, 5);

	for (uint64_t i = 0; i < nr_rounds; i++) {
		run_free(scene);
		rig_hold(&scene->rig);
		oracle_judge(&scene->oracle, some_max(scene));
		if (scene->opts->beside != NULL)
			oracle_judge(&scene->beside, some_max(scene));
		rig_release(&scene->rig);
		rig_run(&scene->rig, (unsigned)below(scene, MOST_OPS));
	}
}

int case_run(const struct case_opts *opts, struct score *score, unsigned *flags, struct tide_error *err)
{
	static struct scene scene;
	int result;

	scene = (struct scene){ .opts = opts };
	rng_init(&scene.rng, opts->seed);
	rng_init(&scene.pace, ~opts->seed);
	result = begin(&scene, err);
	*flags |= scene.rig.hello.flags;
	if (result == 0)
		play(&scene);
	oracle_fini(&scene.oracle);
	oracle_fini(&scene.beside);
	/* Watched no more, it still does what it is told. */
	rig_done(&scene.rig, -1);
	rig_run(&scene.rig, MOST_OPS / 4);
	rig_done(&scene.rig, -1);
	scene.oracle.score.nr_cases = 1;
	scene.oracle.score.nr_ops = scene.rig.reply.nr_ops;
	scene.oracle.score.nr_refused = scene.rig.reply.nr_refused;
	scene.oracle.score.lost += scene.beside.score.lost;
	scene.oracle.score.broken += scene.beside.score.broken;
	add(score, &scene.oracle.score);
	rig_end(&scene.rig);
	return result;
}
