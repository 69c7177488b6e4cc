/* SPDX-License-Identifier: MIT */
/*
 * This file is a program that says what a pass of exact mode costs, beside what one would do without it: clear_refs and
 * then smaps.
 *
 *     exact-pass [ROUNDS]
 *
 * The subject is a child with 4 KiB pages. Sizes that do not fit are made of one GiB of shared memory mapped many
 * times: the page tables, which are what is read, are as large as they would be. Processor time of the asking thread,
 * which is where the kernel does all of this; medians and spread, ratios within a round. Rows for a Markdown table.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tidemark/monitor.h>

#include "series.h"

#define PAGE UINT64_C(4096)
#define GIB  (UINT64_C(1) << 30)

struct subject {
	pid_t pid;
	char *memory;
	uint64_t bytes;
	int go, done;
};

struct pass {
	struct tide_target *target;
	struct tide_monitor *monitor;
	uint64_t now_ns;
	uint64_t accessed_bytes;
};

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "exact-pass: %s: %s\n", what, why);
	exit(1);
}

static uint64_t spent_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Memory of the caller's own, or a GiB of shared memory as often as it takes. */
static char *map(uint64_t bytes, bool shared)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int fd = shared ? memfd_create("exact-pass", MFD_CLOEXEC) : -1;

	if (memory == MAP_FAILED || (shared && (fd < 0 || ftruncate(fd, (off_t)GIB) < 0)))
		fail("mapping memory", strerror(errno));
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	for (uint64_t at = 0; shared && at < bytes; at += GIB)
		if (mmap(memory + at, GIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			fail("mapping memory", strerror(errno));
	if (madvise(memory, bytes, MADV_POPULATE_WRITE) < 0)
		fail("populating memory", strerror(errno));
	return memory;
}

/* Touches what it is told to, whenever it is told. */
static _Noreturn void serve(char *memory, uint64_t bytes, int in, int out)
{
	uint64_t nr_hot;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(out, "r", 1) != 1)
		_exit(1);
	while (read(in, &nr_hot, sizeof(nr_hot)) == sizeof(nr_hot)) {
		for (uint64_t i = 0; i < nr_hot && i < bytes / PAGE; i++)
			memory[i * PAGE]++;
		if (write(out, "d", 1) != 1)
			break;
	}
	_exit(0);
}

static void start(struct subject *subject, uint64_t bytes, bool shared)
{
	int in[2];
	int out[2];
	char *shown = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char byte;

	if (pipe(in) < 0 || pipe(out) < 0 || shown == MAP_FAILED)
		fail("starting a child", strerror(errno));
	subject->pid = fork();
	if (subject->pid == 0) {
		char *memory = map(bytes, shared);

		memcpy(shown, &memory, sizeof(memory));
		serve(memory, bytes, in[0], out[1]);
	}
	close(in[0]);
	close(out[1]);
	subject->go = in[1];
	subject->done = out[0];
	subject->bytes = bytes;
	if (read(subject->done, &byte, 1) != 1)
		fail("starting a child", "it ended");
	memcpy(&subject->memory, shown, sizeof(subject->memory));
	munmap(shown, PAGE);
}

static void end(struct subject *subject)
{
	kill(subject->pid, SIGKILL);
	waitpid(subject->pid, NULL, 0);
	close(subject->go);
	close(subject->done);
}

static void touch(struct subject *subject, uint64_t nr_pages)
{
	char byte;

	if (write(subject->go, &nr_pages, sizeof(nr_pages)) != sizeof(nr_pages) || read(subject->done, &byte, 1) != 1)
		fail("asking the child", strerror(errno));
}

static void open_pass(struct pass *pass, const struct subject *subject)
{
	const struct tide_monitor_opts opts = { .size = sizeof(opts),
		                                .flags = TIDE_MONITOR_EXACT,
		                                .way = TIDE_WAY_COLD };
	const struct tide_range range = { (uint64_t)(uintptr_t)subject->memory,
		                          (uint64_t)(uintptr_t)subject->memory + subject->bytes };
	const struct tide_sensor_ops *ops;
	struct tide_error err;
	void *state;

	*pass = (struct pass){ .now_ns = 1 };
	if (tide_sensor_choose(&ops, "walk", &err) < 0 || tide_target_open(&pass->target, subject->pid, &err) < 0)
		fail("opening the sensor", err.text);
	state = calloc(1, ops->state_size);
	if (state == NULL || ops->init(state, pass->target, &err) < 0 ||
	    tide_monitor_open(&pass->monitor, &opts, &err) < 0 ||
	    tide_monitor_add_target(pass->monitor, ops, state, &range, 1, &err) < 0)
		fail("opening the monitor", err.text);
}

/* One pass: nanoseconds of processor time. */
static uint64_t make_pass(struct pass *pass)
{
	const struct tide_sample *sample;
	struct tide_error err;
	uint64_t before_ns = spent_ns();

	if (tide_monitor_step(pass->monitor, pass->now_ns, &pass->now_ns, &sample, &err) < 0)
		fail("a pass", err.text);
	pass->accessed_bytes = sample != NULL ? sample->idle->accessed_bytes : 0;
	return spent_ns() - before_ns;
}

static void close_pass(struct pass *pass)
{
	tide_monitor_close(pass->monitor);
	tide_target_close(pass->target);
}

static int open_file(pid_t pid, const char *name, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		fail(path, strerror(errno));
	return fd;
}

static void clear_refs(pid_t pid)
{
	int fd = open_file(pid, "clear_refs", O_WRONLY);

	if (write(fd, "1", 1) != 1)
		fail("clear_refs", strerror(errno));
	close(fd);
}

/* What one would do without: nanoseconds of processor time. */
static uint64_t clear_and_read(pid_t pid)
{
	static char buffer[1 << 16];
	uint64_t before_ns = spent_ns();
	int fd = open_file(pid, "smaps", O_RDONLY);

	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	close(fd);
	clear_refs(pid);
	return spent_ns() - before_ns;
}

static void bench(uint64_t bytes, bool shared, unsigned percent, size_t nr_rounds)
{
	struct series exact = { 0 };
	struct series page = { 0 };
	struct series other = { 0 };
	struct series ratio = { 0 };
	struct subject subject;
	struct pass pass;
	uint64_t nr_pages = bytes / PAGE;

	start(&subject, bytes, shared);
	clear_refs(subject.pid);
	open_pass(&pass, &subject);
	make_pass(&pass);
	make_pass(&pass);
	for (size_t i = 0; i < nr_rounds; i++) {
		uint64_t ns;

		if (percent > 0)
			touch(&subject, nr_pages * percent / 100);
		ns = make_pass(&pass);
		series_add(&exact, (double)ns / 1e6);
		series_add(&page, (double)ns / (double)nr_pages);
		series_add(&other, (double)clear_and_read(subject.pid) / 1e6);
		series_add_ratio(&ratio, &other, &exact);
	}
	printf("| %" PRIu64 " GiB%s, %u %% hot | %s | %s | %s | %s |\n", bytes / GIB,
	       shared ? " (1 GiB, mapped often)" : "", percent, series_text(&exact, " ms"), series_text(&page, " ns"),
	       series_text(&other, " ms"), series_text(&ratio, ""));
	fflush(stdout);
	close_pass(&pass);
	end(&subject);
}

int main(int argc, char **argv)
{
	size_t nr_rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 9;

	printf("| memory of 4 KiB pages | exact pass | for a page | clear_refs + smaps | takes ... times as long |\n"
	       "|---|---|---|---|---|\n");
	bench(1 * GIB, false, 0, nr_rounds);
	bench(4 * GIB, false, 0, nr_rounds);
	bench(4 * GIB, false, 1, nr_rounds);
	bench(4 * GIB, false, 10, nr_rounds);
	bench(100 * GIB, true, 0, nr_rounds);
	return 0;
}
