/* SPDX-License-Identifier: MIT */
/* This file stands in for target, sensor and monitor, so that a session is tested alone and in virtual time. */
#include "fake-world.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "monitor/opts.h"
#include "kernel/sys.h"

struct fake_world fake;
static struct sys_table table;

struct tide_target {
	pid_t pid;
	int pidfd;
	int index;
};

int tide_target_open(struct tide_target **out, pid_t pid, struct tide_error *err)
{
	struct tide_target *target;

	if (fake.target_result < 0)
		return error_set(err, TIDE_CAUSE_GONE, fake.target_result, "no process %d", (int)pid);
	target = calloc(1, sizeof(*target));
	target->pid = pid;
	target->pidfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	target->index = fake.nr_opened++;
	fake.pidfds[target->index] = target->pidfd;
	fake.nr_targets++;
	*out = target;
	return 0;
}

void tide_target_close(struct tide_target *target)
{
	if (target == NULL)
		return;
	close(target->pidfd);
	free(target);
	fake.nr_targets--;
}

pid_t tide_target_pid(const struct tide_target *target)
{
	return target->pid;
}

int tide_target_pidfd(const struct tide_target *target)
{
	return target->pidfd;
}

int tide_target_valid(struct tide_target *target, struct tide_error *err)
{
	error_set(err, TIDE_CAUSE_GONE, -ESRCH, "process %d exited", (int)target->pid);
	return 0;
}

static int fake_init(void *state, struct tide_target *target, struct tide_error *err)
{
	if (fake.init_result < 0)
		return error_set(err, TIDE_CAUSE_DENIED, fake.init_result, "the sensor refused process %d",
		                 (int)target->pid);
	*(struct tide_target **)state = target;
	fake.nr_states++;
	return 0;
}

static int fake_bound_stall(void *state, uint64_t max_stall_us, struct tide_error *err)
{
	(void)state;
	fake.max_stall_us = max_stall_us;
	if (fake.bound_result < 0)
		return error_set(err, TIDE_CAUSE_LIMIT, fake.bound_result, "too large");
	return 0;
}

static void fake_cleanup(void *state)
{
	(void)state;
	fake.nr_states--;
}

static struct tide_sensor_ops fake_sensor = {
	.name = "scripted",
	.state_size = sizeof(struct tide_target *),
	.init = fake_init,
	.bound_stall = fake_bound_stall,
	.cleanup = fake_cleanup,
};

int tide_sensor_choose(const struct tide_sensor_ops **out, const char *name, struct tide_error *why)
{
	if (fake.choose_result < 0)
		return error_set(why, TIDE_CAUSE_UNSUPPORTED, fake.choose_result, "no sensor works here");
	error_set(why, TIDE_CAUSE_NONE, 0, "the only one there is");
	fake_sensor.flags = fake.sensor_flags;
	*out = &fake_sensor;
	return 0;
}

int tide_sensor_choose_exact(const struct tide_sensor_ops **out, const char *name, enum tide_way way,
                             struct tide_error *why)
{
	return tide_sensor_choose(out, name, why);
}

struct tide_monitor {
	void *states[4];
	int nr_states;
	struct tide_sample sample;
	struct tide_region region;
	struct tide_monitor_opts opts;
};

int tide_monitor_open(struct tide_monitor **out, const struct tide_monitor_opts *opts, struct tide_error *err)
{
	int result;

	if (fake.open_result < 0 || opts->size != sizeof(*opts))
		return error_set(err, TIDE_CAUSE_USAGE, fake.open_result, "the options contradict each other");
	*out = calloc(1, sizeof(**out));
	fake.nr_monitors++;
	result = monitor_opts_complete(&(*out)->opts, opts, err);
	fake.opts = (*out)->opts;
	return result;
}

const struct tide_monitor_opts *tide_monitor_options(const struct tide_monitor *monitor)
{
	return &monitor->opts;
}

void tide_monitor_close(struct tide_monitor *monitor)
{
	if (monitor == NULL)
		return;
	for (int i = 0; i < monitor->nr_states; i++) {
		/* A state is cleaned up while its target is still there: reading it is what ASan watches. */
		fake.nr_states -= (*(struct tide_target **)monitor->states[i])->pid != 0;
		free(monitor->states[i]);
	}
	free(monitor);
	fake.nr_monitors--;
}

int tide_monitor_add_target(struct tide_monitor *monitor, const struct tide_sensor_ops *ops, void *state,
                            const struct tide_range *ranges, size_t nr_ranges, struct tide_error *err)
{
	if (fake.add_result < 0) {
		free(state);
		fake.nr_states--;
		return error_set(err, TIDE_CAUSE_USAGE, fake.add_result, "the ranges overlap");
	}
	monitor->states[monitor->nr_states] = state;
	return monitor->nr_states++;
}

int tide_monitor_step(struct tide_monitor *monitor, uint64_t now_ns, uint64_t *next_ns, const struct tide_sample **out,
                      struct tide_error *err)
{
	const struct fake_step *step = &fake.steps[fake.nr_steps++ % FAKE_MAX_STEPS];

	*out = NULL;
	*next_ns = step->next_ns;
	fake.cpu_ns += step->spent_ns;
	if (step->result == 1 || step->sample) {
		monitor->sample = (struct tide_sample){ .end_ns = step->end_ns,
			                                .nr_checks = 20,
			                                .nr_targets = 1,
			                                .nr_regions = 1,
			                                .regions = &monitor->region };
		*out = &monitor->sample;
	}
	if (step->result == -ESRCH)
		return error_set(err, TIDE_CAUSE_GONE, step->result, "the sensor says gone");
	if (step->result < 0)
		return error_set(err, TIDE_CAUSE_SYSTEM, step->result, "the sensor failed");
	return step->result;
}

void tide_monitor_cost(const struct tide_monitor *monitor, struct tide_sensor_cost *out)
{
	*out = (struct tide_sensor_cost){ .nr_read = fake.nr_steps };
}

/* 1 when this call is the one to fail; errno set. */
static int fails(void)
{
	if (++fake.nr_calls != fake.fail_call)
		return 0;
	errno = EMFILE;
	return 1;
}

static int fake_clock_gettime(clockid_t clock, struct timespec *time)
{
	uint64_t ns = clock == CLOCK_MONOTONIC ? fake.now_ns : fake.cpu_ns;

	time->tv_sec = (time_t)(ns / 1000000000u);
	time->tv_nsec = (long)(ns % 1000000000u);
	return 0;
}

static int fake_timerfd_create(clockid_t clock, int flags)
{
	return fails() ? -1 : sys_table_linux.timerfd_create(clock, flags);
}

static int fake_timerfd_settime(int fd, int flags, const struct itimerspec *value)
{
	fake.armed_ns = (uint64_t)value->it_value.tv_sec * 1000000000u + (uint64_t)value->it_value.tv_nsec;
	return fails() ? -1 : sys_table_linux.timerfd_settime(fd, flags, value);
}

static int fake_epoll_create(int flags)
{
	return fails() ? -1 : sys_table_linux.epoll_create(flags);
}

/* Nobody asks whether a descriptor could be taken out again. */
static int fake_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	return op != EPOLL_CTL_DEL && fails() ? -1 : sys_table_linux.epoll_ctl(epfd, op, fd, event);
}

/* Waiting costs no time: the clock moves to what the timer is armed for. A step may look, it may not wait. */
static int fake_epoll_wait(int epfd, struct epoll_event *events, int nr, int timeout_ms)
{
	if (fails())
		return -1;
	if (timeout_ms != 0 && fake.armed_ns > fake.now_ns)
		fake.now_ns = fake.armed_ns;
	return sys_table_linux.epoll_wait(epfd, events, nr, timeout_ms);
}

void fake_begin(void)
{
	fake = (struct fake_world){ .now_ns = 1000 };
	table = sys_table_linux;
	table.clock_gettime = fake_clock_gettime;
	table.timerfd_create = fake_timerfd_create;
	table.timerfd_settime = fake_timerfd_settime;
	table.epoll_create = fake_epoll_create;
	table.epoll_ctl = fake_epoll_ctl;
	table.epoll_wait = fake_epoll_wait;
	sys_table = &table;
}

void fake_end(void)
{
	sys_table = &sys_table_linux;
}

void fake_exit(int index)
{
	eventfd_write(fake.pidfds[index], 1);
}

int fake_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int nr = 0;

	while (readdir(dir) != NULL)
		nr++;
	closedir(dir);
	return nr;
}
