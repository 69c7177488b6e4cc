/* SPDX-License-Identifier: MIT */
/* This file collects epochs. */
#include "watching.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "output.h"
#include "say.h"
#include "units.h"

#define DEFAULT_INTERVAL_US 1000000u
#define MAX_FAILURES        10

static int open_with(struct watching *watching, const struct tide_pins_ops *pins, const char *name,
                     struct tide_error *err)
{
	const struct options *options = watching->options;
	const struct tide_watch_opts opts = {
		.size = sizeof(opts),
		.ranges = options->ranges.items,
		.nr_ranges = options->ranges.nr,
		.pins = pins,
		.shared = !options->verify,
		.backend = options->backend,
		.reused = options->excludes ? tide_reused_walker() : NULL,
		.granularity_bytes = options->granularity_bytes,
		.max_stall_ns = options->max_stall_us * 1000,
		.throttle_bytes_per_s = options->throttle_bytes_per_s,
	};

	watching->pins = name;
	return tide_watch_open(&watching->watch, watching->target, &opts, err);
}

/* The best means that these privileges allow. Who may not look into page tables may perhaps still watch. */
static int open_with_best(struct watching *watching, struct tide_error *err)
{
	struct tide_error why = { 0 };
	int result = open_with(watching, tide_pins_walker(), "walker", &why);

	if (result == 0)
		return 0;
	if (why.cause != TIDE_CAUSE_DENIED && why.cause != TIDE_CAUSE_UNSUPPORTED) {
		*err = why;
		return result;
	}
	result = open_with(watching, tide_pins_fdinfo(), "fdinfo", err);
	if (result == 0 && !watching->options->quiet)
		say("note: of memory pinned for devices only io_uring's buffers are known, for want of the page-table "
		    "walker: %s",
		    why.text);
	return result;
}

static int open_watch(struct watching *watching, struct tide_error *err)
{
	switch (watching->options->pins) {
	case PINS_WALKER:
		return open_with(watching, tide_pins_walker(), "walker", err);
	case PINS_FDINFO:
		return open_with(watching, tide_pins_fdinfo(), "fdinfo", err);
	case PINS_NONE:
		return open_with(watching, NULL, "none", err);
	default:
		return open_with_best(watching, err);
	}
}

/* Others may want to know the same. Who cannot be served, be it for want of a name, is told by them that it is held. */
static void serve_others(struct watching *watching)
{
	struct tide_error why = { 0 };

	if (tide_watch_holder(watching->watch) == 0 && tide_watch_serve(watching->watch, &why) < 0 &&
	    !watching->options->quiet)
		say("note: others cannot share this watch: %s", why.text);
}

static int begin_report(struct watching *watching, struct tide_error *err)
{
	const struct options *options = watching->options;
	const struct writes_opts opts = {
		.json = options->json,
		.runs = options->runs,
		.verified = options->verify,
		.width = output_width(options),
		.top = options->top,
		.pins = watching->pins,
		.backend = tide_watch_backend(watching->watch),
		.version = TIDEMARK_VERSION,
		.interval_us = watching->interval_ns / 1000,
	};

	return writes_begin(&watching->writes, &opts, watching->target, stdout, err);
}

static void say_begin(const struct watching *watching)
{
	char interval[UNITS_TEXT_SIZE];

	if (watching->options->quiet)
		return;
	if (tide_watch_holder(watching->watch) != 0)
		say("note: process %d watches this process already, and shares what it finds",
		    (int)tide_watch_holder(watching->watch));
	if (strcmp(tide_watch_backend(watching->watch), "soft_dirty") == 0)
		say("note: writes are tracked by soft-dirty bits: the process stands still while they are read and "
		    "cleared, none is exact, and others who use these bits of it miss what is cleared");
	if (strcmp(tide_watch_backend(watching->watch), "uffd_log") == 0)
		say("note: first writes to large private memory wait until they are listed; the rest of the memory is "
		    "tracked by uffd_async");
	say("watching what process %d (%s) writes, every %s%s", (int)tide_target_pid(watching->target),
	    tide_target_name(watching->target), units_duration_text(interval, watching->interval_ns / 1000),
	    watching->shadow != NULL ? ", and comparing its memory with what is reported" : "");
}

/* Contents as they are when watching begins: what changes from here on must be reported. */
static int begin_shadow(struct watching *watching, struct tide_error *err)
{
	const struct options *options = watching->options;
	int result = shadow_new(&watching->shadow, watching->watch, watching->target, options->ranges.items,
	                        options->ranges.nr, err);

	if (result == 0 && tide_watch_layout(watching->watch)->nr_mappings > 0)
		result = shadow_look(watching->shadow, err);
	return result;
}

int watching_open(struct watching *watching, const struct options *options, pid_t pid, struct tide_error *err)
{
	uint64_t interval_us = options->interval_us ? options->interval_us : DEFAULT_INTERVAL_US;
	int result;

	*watching = (struct watching){ .options = options, .timer = -1, .interval_ns = interval_us * 1000 };
	result = sys_timerfd_create();
	if (result < 0)
		return error_system(err, result, "cannot make a timer");
	watching->timer = result;
	result = tide_target_open(&watching->target, pid, err);
	if (result == 0)
		result = open_watch(watching, err);
	if (result == 0 && options->verify)
		result = begin_shadow(watching, err);
	if (result < 0)
		return result;
	serve_others(watching);
	say_begin(watching);
	return begin_report(watching, err);
}

void watching_close(struct watching *watching)
{
	writes_fini(&watching->writes);
	shadow_free(watching->shadow);
	tide_watch_close(watching->watch);
	tide_target_close(watching->target);
	sys_close(watching->timer);
}

/* All runs of one epoch. 0 at its end. */
static int collect(struct watching *watching, struct tide_error *err)
{
	long nr;
	int result = 0;

	do {
		nr = tide_watch_collect(watching->watch, watching->runs, WATCHING_RUNS, err);
		if (nr < 0)
			return (int)nr;
		for (long i = 0; result == 0 && i < nr; i++)
			result = writes_run(&watching->writes, tide_watch_layout(watching->watch), &watching->runs[i],
			                    err);
		if (result == 0 && watching->shadow != NULL)
			result = shadow_note(watching->shadow, watching->runs, (size_t)nr, err);
	} while (result == 0 && nr > 0);
	return result;
}

/* What the epoch that was just collected says of contents that changed before. */
static int judge(struct watching *watching, struct writes_verified *verified, struct tide_error *err)
{
	const uint64_t *lost;
	size_t nr;
	int result = shadow_judge(watching->shadow, &lost, &nr, err);

	if (result < 0)
		return result;
	verified->nr_lost = nr;
	return nr > 0 ? writes_lost(&watching->writes, tide_watch_layout(watching->watch), lost, nr, err) : 0;
}

/* `epoch` has been collected: verified and reported. */
static int report(struct watching *watching, struct tide_error *err)
{
	uint64_t at_us = (sys_clock_ns(CLOCK_MONOTONIC) - watching->began_ns) / 1000;
	struct writes_verified verified = { 0 };
	struct shadow_counts counts;
	struct tide_epoch epoch;
	int looked = 0;
	int result = 0;

	tide_watch_epoch(watching->watch, &epoch);
	if (watching->shadow == NULL)
		return writes_epoch(&watching->writes, &epoch, at_us, NULL, err);
	result = judge(watching, &verified, err);
	if (result < 0)
		return result;
	looked = shadow_look(watching->shadow, err);
	shadow_count(watching->shadow, &counts);
	verified.nr_pages = counts.nr_verified;
	verified.unreadable_bytes = counts.unreadable_bytes;
	result = writes_epoch(&watching->writes, &epoch, at_us, &verified, looked < 0 ? NULL : err);
	return looked < 0 ? looked : result;
}

/*
 * One epoch. A collect that fails makes what it may have forgotten `over` in the epoch that goes on, and costs nobody a
 * long watch; one that keeps failing ends it.
 */
static int run_epoch(struct watching *watching, struct tide_error *err)
{
	int result = collect(watching, err);

	if (result == 0) {
		watching->nr_failures = 0;
		return report(watching, err);
	}
	if ((err->cause != TIDE_CAUSE_SYSTEM && err->cause != TIDE_CAUSE_BUSY) || ferror(stdout) ||
	    ++watching->nr_failures >= MAX_FAILURES)
		return result;
	say("%s; what may have been missed is reported as over", err->text);
	return 0;
}

/* Says once that the work of an epoch takes longer than the interval. */
static void note_overrun(struct watching *watching, uint64_t spent_ns)
{
	char spent[UNITS_TEXT_SIZE];
	char asked[UNITS_TEXT_SIZE];

	if (spent_ns <= watching->interval_ns || watching->overrun_said || watching->options->quiet)
		return;
	watching->overrun_said = true;
	say("note: an epoch's own work took %s, more than the interval of %s: epochs are longer than was asked for",
	    units_duration_text(spent, spent_ns / 1000), units_duration_text(asked, watching->interval_ns / 1000));
}

/*
 * Waits for the epoch's end, and serves others meanwhile. True: a signal came first. The process's own end is for the
 * collect to find.
 */
static bool wait_for_end(const struct watching *watching, const struct stop *stop)
{
	enum { STOP, TIMER, TARGET, OTHERS, NR };
	struct pollfd fds[NR] = {
		[STOP] = { .fd = stop->fd, .events = POLLIN },
		[TIMER] = { .fd = watching->timer, .events = POLLIN },
		[TARGET] = { .fd = tide_target_pidfd(watching->target), .events = POLLIN },
		[OTHERS] = { .fd = tide_watch_fd(watching->watch), .events = POLLIN },
	};
	bool from_terminal, is_over = false;

	while (!is_over) {
		int nr = poll(fds, NR, -1);

		if (nr > 0 && fds[OTHERS].revents != 0)
			tide_watch_step(watching->watch);
		is_over = nr < 0 ? errno != EINTR : (fds[STOP].revents | fds[TIMER].revents | fds[TARGET].revents) != 0;
	}
	return stop_take(stop, &from_terminal) != 0;
}

/*
 * Changes that the last look suspected are decided by one more collect; nothing of it is reported otherwise. When the
 * process has gone meanwhile, nobody can decide them any more, and its end is not that of the watching.
 */
static int settle(struct watching *watching, struct tide_error *err)
{
	struct writes_verified verified = { 0 };
	long nr;
	int result = 0;

	do {
		nr = tide_watch_collect(watching->watch, watching->runs, WATCHING_RUNS, err);
		if (nr > 0)
			result = shadow_note(watching->shadow, watching->runs, (size_t)nr, err);
	} while (nr > 0 && result == 0);
	if (nr == 0 && result == 0)
		result = judge(watching, &verified, err);
	watching->writes.verified.nr_lost += verified.nr_lost;
	if (nr < 0)
		return err->cause == TIDE_CAUSE_GONE ? 0 : (int)nr;
	return result;
}

static void end_by_error(struct watching *watching, const struct tide_error *err)
{
	watching->end = *err;
	watching->ending = err->cause == TIDE_CAUSE_GONE ? ENDED_BY_TARGET : ENDED_BY_ERROR;
}

/* 1 go on, 0 the end. */
static int step(struct watching *watching, const struct stop *stop, struct tide_error *err)
{
	uint64_t count = watching->options->count;
	uint64_t began_ns;
	uint64_t now_ns;
	int result = sys_timerfd_arm(watching->timer, watching->next_ns);
	bool stopped;

	if (result < 0)
		return error_system(err, result, "cannot arm a timer");
	stopped = wait_for_end(watching, stop);
	began_ns = sys_clock_ns(CLOCK_MONOTONIC);
	result = run_epoch(watching, err);
	now_ns = sys_clock_ns(CLOCK_MONOTONIC);
	if (result < 0)
		return result;
	note_overrun(watching, now_ns - began_ns);
	if (now_ns >= watching->next_ns)
		watching->next_ns += ((now_ns - watching->next_ns) / watching->interval_ns + 1) * watching->interval_ns;
	if (stopped)
		watching->ending = ENDED_BY_STOP;
	return !stopped && (count == 0 || watching->writes.nr_epochs < count);
}

void watching_run(struct watching *watching, const struct stop *stop)
{
	const char *const ends[] = { "count", "interrupted", "gone", "error" };
	struct tide_error err = { 0 };
	int result;

	watching->began_ns = sys_clock_ns(CLOCK_MONOTONIC);
	watching->next_ns = watching->began_ns + watching->interval_ns;
	watching->ending = ENDED_BY_DURATION;
	do
		result = step(watching, stop, &err);
	while (result == 1);
	if (result == 0 && watching->shadow != NULL)
		result = settle(watching, &err);
	if (result < 0)
		end_by_error(watching, &err);
	if (writes_end(&watching->writes, ends[watching->ending], &err) < 0)
		end_by_error(watching, &err);
}
