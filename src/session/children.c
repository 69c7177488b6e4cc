/* SPDX-License-Identifier: MIT */
/*
 * This file finds the processes that targets start, and follows targets into the programs that they execute.
 *
 * There is no message for an unprivileged watcher when a process forks, so it looks now and then: at the lists of
 * children that threads have (CONFIG_PROC_CHILDREN), else at the parents of all processes. What comes and goes between
 * two looks is not seen; neither is what a process has started that itself came and went between two looks, for its
 * children are init's by then.
 *
 * Whom a number stands for. A PID that was read from a list may be another process's by the time it is opened. What was
 * opened cannot change any more, so it is asked then: it is a child if its parent has the number of a target that still
 * lives, for as long as that lives nobody else has its number. Doubt counts against it: the next look finds it again.
 *
 * Cost of a look: a list of threads for each target, and one small file for each thread; or one small file for each
 * process of the machine. The next one is put off until looks take a twentieth of one processor at most, and the
 * opening of what they find (the sensor's programs are loaded for each target) a quarter. While a target is opened no
 * other is sampled: but for the first look, before which there was nothing to sample, no more are opened when that has
 * taken MAX_OPENING_NS. At most MAX_NEW processes become targets in one look, MAX_ALIVE at the same time and
 * MAX_TARGETS in a session, so a process that forks without end costs no more than these.
 */
#include "session/children.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/procfs.h"
#include "kernel/sys.h"
#include "session/session.h"
#include "target/target.h"

#define MAX_ALIVE       64u
#define MAX_TARGETS     1024u
#define MAX_NEW         16u
#define MAX_OPENING_NS  UINT64_C(100000000)
#define MAX_PASSED_OVER 1024u
#define LOOK_SHARE      20u /* looks take one part in so many of a processor's time, */
#define OPEN_SHARE      4u  /* and opening what they find */

void children_init(struct children *children, uint64_t every_ns)
{
	children->is_on = true;
	children->every_ns = every_ns;
	/* Whatever the answer is when it cannot be asked: the way without lists works everywhere. */
	children->has_lists = procfs_has_children();
}

void children_fini(struct children *children)
{
	vec_free(&children->passed_over);
	vec_free(&children->kinships);
}

static bool is_watched(const struct tide_session *session, pid_t pid)
{
	for (size_t i = 0; i < session->targets.nr; i++)
		if (!session->has_gone.items[i] && tide_target_pid(session->targets.items[i]) == pid)
			return true;
	return false;
}

static struct passed_over *find_passed_over(struct children *children, pid_t pid)
{
	for (size_t i = 0; i < children->passed_over.nr; i++)
		if (children->passed_over.items[i].pid == pid)
			return &children->passed_over.items[i];
	return NULL;
}

/* Notes a process that is not watched, once; beyond MAX_PASSED_OVER at a time it is not noted, which makes the number
 * too small and the session no slower. */
static void pass_over(struct children *children, pid_t pid, bool is_refused, const char *why)
{
	const struct passed_over fresh = { .pid = pid, .is_refused = is_refused, .is_there = true };
	struct passed_over *old = find_passed_over(children, pid);

	if (old != NULL) {
		old->is_refused = old->is_refused || is_refused;
		return;
	}
	if (children->passed_over.nr == MAX_PASSED_OVER || vec_push(&children->passed_over, fresh) < 0)
		return;
	if (children->nr_unwatched++ == 0)
		snprintf(children->why, sizeof(children->why), "%s", why);
}

/* It is watched after all. */
static void take_back(struct children *children, pid_t pid)
{
	struct passed_over *old = find_passed_over(children, pid);

	if (old == NULL)
		return;
	children->nr_unwatched--;
	*old = children->passed_over.items[--children->passed_over.nr];
}

/* Those that were not met in this look have ended; their numbers may come back as other processes. */
static void forget_the_ended(struct children *children)
{
	size_t kept = 0;

	for (size_t i = 0; i < children->passed_over.nr; i++) {
		struct passed_over *one = &children->passed_over.items[i];

		if (!one->is_there)
			continue;
		one->is_there = false;
		children->passed_over.items[kept++] = *one;
	}
	children->passed_over.nr = kept;
}

static bool has_room(const struct tide_session *session, char *why, size_t size)
{
	if (session->targets.nr >= MAX_TARGETS)
		snprintf(why, size, "%u processes and programs have been watched: that is the most in one session",
		         MAX_TARGETS);
	else if (session->targets.nr - session->nr_gone >= MAX_ALIVE)
		snprintf(why, size, "%u processes are watched: that is the most at a time", MAX_ALIVE);
	else
		return true;
	return false;
}

/* Is what was opened still the parent's child? A process that has just become another's is not. */
static bool is_child_of(struct tide_target *target, const struct tide_target *parent)
{
	struct procfs_stat stat;

	return procfs_read_stat(target_procfs(target), 0, &stat) == 0 && stat.ppid == tide_target_pid(parent) &&
	       sys_pidfd_alive(tide_target_pidfd(parent)) == 1;
}

/* Opens `pid` and watches it, if it is what it was when it was seen: 1, 0 it is not (any more), negative. */
static int open_and_watch(struct tide_session *session, pid_t pid, const struct tide_target *parent, bool is_same,
                          struct tide_error *err)
{
	struct tide_target *target;
	int result = tide_target_open(&target, pid, err);

	if (result < 0)
		return err->cause == TIDE_CAUSE_GONE ? 0 : result;
	if (is_same ? sys_pidfd_alive(tide_target_pidfd(parent)) != 1 : !is_child_of(target, parent)) {
		tide_target_close(target);
		return 0;
	}
	result = session_enlist(session, target, NULL, 0, err);
	if (result >= 0)
		return 1;
	tide_target_close(target);
	return err->cause == TIDE_CAUSE_GONE ? 0 : result;
}

static int adopt(struct tide_session *session, pid_t pid, const struct tide_target *parent, bool is_same,
                 struct tide_error *err)
{
	uint64_t began_ns = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int result = open_and_watch(session, pid, parent, is_same, err);

	session->children.opening_ns += sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began_ns;
	return result;
}

struct look {
	struct tide_session *session;
	size_t parent;
};

static bool is_enough(const struct children *children)
{
	if (children->is_first)
		return false;
	return children->nr_new == MAX_NEW ||
	       (children->nr_new > 0 && sys_clock_ns(CLOCK_MONOTONIC) >= children->began_ns + MAX_OPENING_NS);
}

/* A child of a target was met. */
static int meet(void *arg, pid_t pid)
{
	const struct look *look = arg;
	struct tide_session *session = look->session;
	struct children *children = &session->children;
	struct passed_over *known = find_passed_over(children, pid);
	struct tide_error err = { 0 };
	int result;

	if (known != NULL)
		known->is_there = true;
	if ((known != NULL && known->is_refused) || pid == getpid() || is_watched(session, pid))
		return 0;
	if (!has_room(session, err.text, sizeof(err.text))) {
		pass_over(children, pid, false, err.text);
		return 0;
	}
	if (is_enough(children))
		return 0; /* the next look takes it */
	result = adopt(session, pid, session->targets.items[look->parent], false, &err);
	children->nr_new += result != 0;
	if (result < 0)
		pass_over(children, pid, true, err.text);
	else if (result > 0)
		take_back(children, pid);
	return 0;
}

static int meet_children_of_thread(void *arg, pid_t tid)
{
	const struct look *look = arg;
	const struct tide_target *target = look->session->targets.items[look->parent];

	/* A thread that has just ended has no children. */
	(void)procfs_each_child(target_procfs(target), tid, meet, arg);
	return 0;
}

static int note_kinship(void *arg, pid_t pid)
{
	struct children *children = arg;
	struct procfs_stat stat;
	scope_sys_fd int dir = procfs_open(pid);
	struct kinship kinship = { .pid = pid };

	if (dir < 0 || procfs_read_stat(dir, 0, &stat) < 0)
		return 0;
	kinship.ppid = stat.ppid;
	return vec_push(&children->kinships, kinship);
}

/* New targets come to the end of the list, so that the children of children are found in the same look. */
static void meet_children(struct tide_session *session)
{
	struct children *children = &session->children;

	children->kinships.nr = 0;
	if (children->has_lists != 1)
		(void)procfs_each_process(note_kinship, children);
	for (size_t i = 0; i < session->targets.nr; i++) {
		const struct tide_target *target = session->targets.items[i];
		struct look look = { session, i };

		if (session->has_gone.items[i])
			continue;
		if (children->has_lists == 1)
			(void)procfs_each_thread(target_procfs(target), meet_children_of_thread, &look);
		for (size_t k = 0; k < children->kinships.nr; k++)
			if (children->kinships.items[k].ppid == tide_target_pid(target))
				meet(&look, children->kinships.items[k].pid);
	}
}

/*
 * A target whose process runs another program now: that is a new target. One that cannot be opened just now, as the
 * program is being loaded, is tried again.
 */
static void follow(struct tide_session *session, size_t index)
{
	struct tide_target *target = session->targets.items[index];
	struct tide_error err = { 0 };
	int result;

	if (session->has_gone.items[index] || tide_target_valid(target, &err) != 0 ||
	    sys_pidfd_alive(tide_target_pidfd(target)) != 1)
		return;
	tide_monitor_end_target(session->monitor, index);
	if (session->targets.nr >= MAX_TARGETS) {
		has_room(session, err.text, sizeof(err.text));
		result = -EMFILE;
	} else {
		result = adopt(session, tide_target_pid(target), target, true, &err);
	}
	if (result < 0)
		pass_over(&session->children, tide_target_pid(target), true, err.text);
	if (result != 0)
		session_note_gone(session, index);
}

static uint64_t longer(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void children_look(struct tide_session *session, uint64_t now_ns)
{
	struct children *children = &session->children;
	uint64_t began_cpu_ns;
	uint64_t look_ns;
	size_t nr = session->targets.nr;

	if (!children->is_on || now_ns < children->next_ns)
		return;
	children->began_ns = sys_clock_ns(CLOCK_MONOTONIC);
	children->is_first = children->next_ns == 0;
	began_cpu_ns = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	children->nr_new = 0;
	children->opening_ns = 0;
	for (size_t i = 0; i < nr; i++)
		follow(session, i);
	meet_children(session);
	forget_the_ended(children);
	look_ns = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began_cpu_ns - children->opening_ns;
	children->next_ns = children->began_ns +
	                    longer(longer(look_ns * LOOK_SHARE, children->opening_ns * OPEN_SHARE), children->every_ns);
}
