/* SPDX-License-Identifier: MIT */
/* This file stands in for target, sensor and monitor, so that a session is tested alone and in virtual time. */
#include "fake-world.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/procfs.h"
#include "monitor/opts.h"
#include "kernel/sys.h"
#include "sensor/ladder.h"
#include "target/target.h"

#define DIR_OF_PID 1000000 /* no descriptor is so large: closing it does nothing */

struct fake_world fake;
static struct sys_table table;

static struct fake_process *find(pid_t pid)
{
	for (int i = 0; i < fake.nr_processes; i++)
		if (fake.processes[i].pid == pid)
			return &fake.processes[i];
	return NULL;
}

struct fake_process *fake_process(pid_t pid, pid_t ppid)
{
	fake.processes[fake.nr_processes] = (struct fake_process){ .pid = pid, .ppid = ppid };
	return &fake.processes[fake.nr_processes++];
}

void fake_process_exit(pid_t pid)
{
	uint64_t one = 1;

	for (int i = 0; i < fake.nr_processes; i++)
		if (fake.processes[i].ppid == pid)
			fake.processes[i].ppid = 1;
	find(pid)->pid = 0;
	for (int i = 0; i < fake.nr_opened; i++)
		if (fake.pids[i] == pid && fake.pidfds[i] >= 0)
			assert(write(fake.pidfds[i], &one, sizeof(one)) == sizeof(one));
}

int procfs_has_children(void)
{
	return fake.has_lists;
}

int procfs_open(pid_t pid)
{
	return find(pid) != NULL ? DIR_OF_PID + pid : -ENOENT;
}

int procfs_read_stat(int dir, pid_t tid, struct procfs_stat *out)
{
	const struct fake_process *process = find(dir - DIR_OF_PID);

	if (process == NULL)
		return -ESRCH;
	*out = (struct procfs_stat){ .ppid = process->ppid };
	return 0;
}

int procfs_each_thread(int dir, procfs_thread_fn *fn, void *arg)
{
	return fn(arg, dir - DIR_OF_PID);
}

int procfs_each_child(int dir, pid_t tid, procfs_thread_fn *fn, void *arg)
{
	for (int i = 0; i < fake.nr_processes; i++)
		if (fake.processes[i].pid != 0 && fake.processes[i].ppid == tid)
			fn(arg, fake.processes[i].pid);
	return 0;
}

int procfs_each_process(procfs_thread_fn *fn, void *arg)
{
	fake.nr_looks++;
	fake.cpu_ns += fake.look_cpu_ns;
	for (int i = 0; i < fake.nr_processes; i++)
		if (fake.processes[i].pid != 0)
			fn(arg, fake.processes[i].pid);
	return 0;
}

int target_procfs(const struct tide_target *target)
{
	return target->dir;
}

void target_retire(struct tide_target *target)
{
	close(target->pidfd);
	fake.pidfds[target->maps] = -1;
	target->pidfd = target->dir = -1;
	fake.nr_retired++;
}

int tide_target_open(struct tide_target **out, pid_t pid, struct tide_error *err)
{
	struct fake_process *process = find(pid);
	struct tide_target *target;

	fake.nr_tries++;
	fake.now_ns += fake.open_ns;
	if (fake.target_result < 0 || (fake.nr_processes > 0 && process == NULL))
		return error_set(err, TIDE_CAUSE_GONE, fake.target_result < 0 ? fake.target_result : -ESRCH,
		                 "no process %d", (int)pid);
	if (process != NULL && process->refusal < 0)
		return error_set(err, process->refusal == -ESRCH ? TIDE_CAUSE_GONE : TIDE_CAUSE_DENIED,
		                 process->refusal, "process %d is not ours", (int)pid);
	if (process != NULL && process->becomes_of != 0)
		process->ppid = process->becomes_of;
	target = calloc(1, sizeof(*target));
	target->pid = pid;
	target->pidfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	target->dir = DIR_OF_PID + pid;
	target->maps = fake.nr_opened++; /* its number here */
	target->start_ticks = process != NULL ? process->program : 0;
	fake.pidfds[target->maps] = target->pidfd;
	fake.pids[target->maps] = pid;
	fake.nr_targets++;
	*out = target;
	return 0;
}

void tide_target_close(struct tide_target *target)
{
	if (target == NULL)
		return;
	if (target->pidfd >= 0)
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
	const struct fake_process *process = find(target->pid);

	if (process != NULL && process->program == target->start_ticks)
		return 1;
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

static int fake_init_writes(void *state, struct tide_target *target, struct tide_error *err)
{
	(void)state;
	if (fake.init_writes_result < 0)
		return error_set(err, TIDE_CAUSE_BUSY, fake.init_writes_result, "process %d has a userfaultfd",
		                 (int)target->pid);
	fake.nr_states++;
	return 0;
}

static const struct tide_sensor_ops fake_writes = {
	.name = "scripted-writes",
	.init = fake_init_writes,
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

int sensor_choose_beside_writes(const struct tide_sensor_ops **out, const char *name, struct tide_error *why)
{
	return tide_sensor_choose(out, name, why);
}

int sensor_choose_writes(const struct tide_sensor_ops **out, struct tide_error *why)
{
	*out = &fake_writes;
	return fake.choose_writes_result < 0
	               ? error_set(why, TIDE_CAUSE_UNSUPPORTED, fake.choose_writes_result, "writes cannot be told here")
	               : 0;
}

int tide_sensor_choose_exact(const struct tide_sensor_ops **out, const char *name, enum tide_way way,
                             struct tide_error *why)
{
	return tide_sensor_choose(out, name, why);
}

struct tide_monitor {
	void *states[FAKE_MAX_TARGETS];
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
	for (int i = 0; i < monitor->nr_states; i++)
		tide_monitor_end_target(monitor, (size_t)i);
	free(monitor);
	fake.nr_monitors--;
}

int tide_monitor_add_with_writes(struct tide_monitor *monitor, const struct tide_sensor_ops *ops, void *state,
                                 const struct tide_sensor_ops *writes, void *writes_state,
                                 const struct tide_range *ranges, size_t nr_ranges, struct tide_error *err)
{
	if (writes_state != NULL) {
		writes->cleanup(writes_state);
		free(writes_state);
		fake.nr_with_writes++;
	}
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
			                                .nr_targets = (uint32_t)monitor->nr_states,
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

void tide_monitor_end_target(struct tide_monitor *monitor, size_t index)
{
	if (monitor->states[index] == NULL)
		return;
	/* A state is cleaned up while its target is still there: reading it is what ASan watches. */
	fake.nr_states -= (*(struct tide_target **)monitor->states[index])->pid != 0;
	free(monitor->states[index]);
	monitor->states[index] = NULL;
	fake.nr_ended++;
}

void tide_monitor_intervals(const struct tide_monitor *monitor, struct tide_intervals *out)
{
	const struct tide_monitor_opts *opts = &monitor->opts;

	*out = (struct tide_intervals){ .sampling_us = opts->sampling_us,
		                        .aggregation_us = opts->aggregation_us,
		                        .update_us = opts->update_us };
	if (fake.aggregation_us != 0)
		out->aggregation_us = fake.aggregation_us;
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

static int fake_pidfd_send_signal(int pidfd, int signal)
{
	for (int i = 0; i < fake.nr_opened; i++)
		if (fake.pidfds[i] == pidfd && (fake.nr_processes == 0 || find(fake.pids[i]) != NULL))
			return 0;
	errno = ESRCH;
	return -1;
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
	table.pidfd_send_signal = fake_pidfd_send_signal;
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
