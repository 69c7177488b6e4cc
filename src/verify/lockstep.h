/* SPDX-License-Identifier: MIT */
/*
 * Runs programs in the model and on another side, and compares after each operation: what it returned, what it
 * reported, and all pages of all processes. Where both differ and a rule allows it, the model follows; else it is a
 * difference.
 */
#ifndef VERIFY_LOCKSTEP_H
#define VERIFY_LOCKSTEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "model/model.h"
#include "verify/side.h"

struct lockstep_rule {
	const char *name;
	uint64_t nr; /* how often it was used */
};

/* What an operation came to in the model. */
struct lockstep_outcome {
	int code;
	uint64_t value;
	bool skipped; /* it made no sense */
};

struct lockstep {
	struct side *side;
	struct model_opts opts; /* of the model */
	/* Asked before each operation; false: the run ends with -ECANCELED. NULL: never asked. */
	bool (*go_on)(void *arg, const struct lockstep *lockstep);
	void *arg;
	uint64_t nr_ops;
	uint64_t nr_programs;
	uint64_t nr_pages;   /* compared */
	uint64_t nr_unknown; /* operations left out, as the model cannot tell what comes of them */
	uint64_t nr_by_kind[NR_MODEL_OPS];
	VEC(struct lockstep_rule) rules;
	VEC(struct lockstep_outcome) outcomes; /* of the program that was run last */
};

enum difference_what {
	DIFFERENCE_CODE,
	DIFFERENCE_VALUE,    /* that was read */
	DIFFERENCE_REPORTED, /* `page` is reported by one of them */
	DIFFERENCE_FLAGS,    /* of a page */
	DIFFERENCE_CONTENTS, /* of a present page */
	DIFFERENCE_BROKEN,   /* an invariant of the model does not hold; nothing to do with the other side */
	DIFFERENCE_GONE,     /* the other side failed: a process was killed, or hangs */
};

struct difference {
	enum difference_what what;
	size_t step; /* after this operation of the program */
	unsigned process;
	uint32_t page;
	struct model_result model, real;
	struct model_seen model_seen, real_seen; /* of the page */
	char broken[160];                        /* the invariant's sentence; else empty */
};

void lockstep_init(struct lockstep *lockstep, struct side *side, const struct model_opts *opts);
void lockstep_fini(struct lockstep *lockstep);

/*
 * Runs one program in a new world. 0: both agree; 1: they do not, and `difference` says in what; or -errno: there
 * was no new world, among others. Operations that make no sense (of a process that is not there) are passed over by
 * both.
 */
int lockstep_run(struct lockstep *lockstep, const struct model_op *ops, size_t nr, struct difference *difference);

/* What a rule allows, in a sentence. */
const char *lockstep_rule_text(const struct lockstep_rule *rule);

#define DIFFERENCE_TEXT_SIZE 320

/* One sentence, what the model says and what the other side does, into `buf`, which is returned. */
const char *difference_text(char buf[DIFFERENCE_TEXT_SIZE], const struct difference *difference);

/* "present armed soft" into `buf`, which is returned; "nothing". */
#define SEEN_TEXT_SIZE 96
const char *seen_text(char buf[SEEN_TEXT_SIZE], uint32_t flags);

#endif
