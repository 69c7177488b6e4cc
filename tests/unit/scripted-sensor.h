/* SPDX-License-Identifier: MIT */
/*
 * A sensor over scripted memory, and the clock that drives a monitor on it. What is mapped, populated, huge, used and
 * unobservable is said in ranges, and bits are worked out when somebody looks: a TiB costs no more than a MiB. It
 * counts its calls, and asserts what the monitor promises its sensors: addresses page-aligned and ascending, each check
 * prepared and answered once, nothing asked of a target that is gone or cleaned up.
 */
#ifndef SCRIPTED_SENSOR_H
#define SCRIPTED_SENSOR_H

#include <tidemark/monitor.h>

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define TIB(n) ((uint64_t)(n) << 40)

enum scripted_op {
	SCRIPTED_UPDATE,
	SCRIPTED_PREPARE,
	SCRIPTED_CHECK,
	SCRIPTED_SCAN,
	SCRIPTED_VALID,
	SCRIPTED_RESET,
	SCRIPTED_CLEANUP,
	SCRIPTED_NR_OPS,
};

struct scripted_ranges {
	struct tide_range items[64];
	size_t nr;
};

/* One target's memory: owned by the test, outlives the monitor. All zero is a target with nothing mapped. */
struct scripted {
	/* The script. May change between steps. */
	struct scripted_ranges mapped;
	struct scripted_ranges populated; /* none: all that is mapped */
	struct scripted_ranges huge;      /* populated by pages of 2 MiB; whole ranges of the above */
	struct scripted_ranges hot;       /* used all the time */
	struct scripted_ranges warm;      /* each page used once in warm_ns, at a moment of its own */
	uint64_t warm_ns;
	const uint64_t *now_ns;       /* of the run; for `warm` */
	struct scripted_ranges blind; /* unobservable */
	enum tide_reason reason;      /* why */
	bool old_at_start;            /* else everything is young until it is cleared: it was just populated */
	/* Call `fail_call` (from 1 on; 0: none) of `fail_op` fails; with cause GONE the target is gone. */
	enum scripted_op fail_op;
	uint64_t fail_call;
	enum tide_cause fail_cause;
	/* What happened. */
	uint64_t calls[SCRIPTED_NR_OPS];
	uint64_t nr_answers;
	uint64_t nr_cleared;
	uint64_t nr_scanned;     /* entries */
	uint64_t scan_max;       /* entries, the largest call */
	uint64_t last_addrs[64]; /* the first of the last prepare */
	size_t nr_last_addrs;
	size_t nr_in_use; /* states not cleaned up */
	bool is_gone;
	/* Own. */
	uint64_t nr_prepared;
	struct scripted_table *tables;
	size_t nr_tables;
	size_t room_for_tables;
};

extern const struct tide_sensor_ops scripted_sensor;
extern const struct tide_sensor_ops scripted_sensor_without_scan;
extern const struct tide_sensor_ops scripted_sensor_that_turns;
extern const struct tide_sensor_ops scripted_sensor_for_writes; /* tells writes: what is `hot` is written */

void scripted_add(struct scripted_ranges *ranges, uint64_t start, uint64_t bytes);

/* Frees what it keeps; asserts that every state was cleaned up. */
void scripted_fini(struct scripted *world);

/* A monitor and the time it believes in. */
struct scripted_run {
	struct tide_monitor *monitor;
	uint64_t now_ns;
	uint64_t next_ns;
	const struct tide_sample *sample; /* of the last step, or NULL */
	uint32_t max_nr_regions;          /* no sample may have more */
	struct tide_error err;            /* of the last call that failed */
};

/* `opts` may be NULL. Fails the test when the monitor cannot be opened. */
void scripted_open(struct scripted_run *run, const struct tide_monitor_opts *opts);
void scripted_close(struct scripted_run *run);

/* Adds a target; `ranges` as for tide_monitor_add_target. Returns what that returns. */
int scripted_watch(struct scripted_run *run, const struct tide_sensor_ops *ops, struct scripted *world,
                   const struct tide_range *ranges, size_t nr);

/* The same with a second sensor of that kind for writes; what it calls hot is written. */
int scripted_watch_with_writes(struct scripted_run *run, const struct tide_sensor_ops *ops, struct scripted *world,
                               struct scripted *writes, const struct tide_range *ranges, size_t nr);

/*
 * One step, `late_ns` after it was due. Returns the step's result. Asserts what holds for every step: the deadline, the
 * error object left alone by success, a sample's regions in order, disjoint, aligned, no more than the maximum.
 */
int scripted_step(struct scripted_run *run, uint64_t late_ns);

/* Steps until a sample comes; fails the test on an error. */
const struct tide_sample *scripted_sample(struct scripted_run *run);

/* The `nr`th sample from here. */
const struct tide_sample *scripted_samples(struct scripted_run *run, unsigned nr);

/* Of all its regions. */
uint64_t scripted_bytes(const struct tide_sample *sample);

/* The first region that holds `addr`, or NULL. */
const struct tide_region *scripted_region_at(const struct tide_sample *sample, uint64_t addr);

/* What reports call hot (at least half of the checks) against what is: shares of bytes. */
struct scripted_accuracy {
	double precision;
	double recall;
};

struct scripted_accuracy scripted_accuracy(const struct scripted *world, const struct tide_sample *sample);

#endif
