/* SPDX-License-Identifier: MIT */
/* This file is the target of tests of sensors on userfaultfd, and the steps that they take. */
#include "tracked-steps.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *sensor_name;

int need_sensor(const char *name)
{
	const struct tide_sensor_ops *ops;
	struct tide_error why = { 0 };

	sensor_name = name;
	if (tide_sensor_choose(&ops, name, &why) == 0)
		return 0;
	fprintf(stderr, "%s\n", why.text);
	return 77;
}

static char *map_at(uint64_t at, int prot, int flags, int fd)
{
	char *memory = mmap((void *)(uintptr_t)at, AREA, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static char *map_sealed(const struct script *script)
{
	int fd = open(script->path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? NULL : map_at(AREA_AT, PROT_READ, MAP_SHARED, fd);
}

static char *map_file(const struct script *script, bool huge)
{
	int fd = script->area == AREA_SHARED ? memfd_create("area", MFD_CLOEXEC)
	                                     : open(script->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int flags = script->area == AREA_RAMFS ? MAP_PRIVATE : MAP_SHARED;
	char page[PAGE];

	memset(page, 1, sizeof(page));
	if (fd < 0 || ftruncate(fd, AREA) < 0)
		return NULL;
	if (!huge)
		for (size_t i = 0; i < NR; i++)
			if (pwrite(fd, page, sizeof(page), (off_t)(i * PAGE)) != PAGE)
				return NULL;
	return map_at(AREA_AT, PROT_READ | PROT_WRITE, flags, fd);
}

static bool make_area(struct script *script)
{
	char *area;

	script->at = AREA_AT;
	switch (script->area) {
	case AREA_SHARED:
	case AREA_RAMFS:
	case AREA_SHARED_HUGE:
		area = map_file(script, script->area == AREA_SHARED_HUGE);
		break;
	case AREA_SEALED:
		return map_sealed(script) != NULL;
	case AREA_HUGETLB:
		area = map_at(AREA_AT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
		break;
	default:
		area = map_at(AREA_AT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	}
	if (area == NULL)
		return false;
	if (script->area == AREA_SHARED)
		return true;
	madvise(area, AREA, script->area == AREA_HUGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (script->area == AREA_SHARED_HUGE)
		madvise(area, AREA, MADV_HUGEPAGE);
	memset(area, 1, AREA);
	return script->area != AREA_NONE || mprotect(area, AREA, PROT_NONE) == 0;
}

static volatile char *page_of(const struct script *script, size_t i)
{
	return (volatile char *)(uintptr_t)(script->at + i * PAGE);
}

/* Reads every page, and writes every `write_each`th; 0: none. */
static void use(const struct script *script, size_t write_each)
{
	size_t nr = 0;

	for (size_t i = script->from; i < script->from + script->nr; i += script->step) {
		char value = *page_of(script, i);

		if (write_each > 0 && ++nr % write_each == 0)
			*page_of(script, i) = value;
	}
}

static bool let_kernel_write(const struct script *script)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0;

	/* Byte 1 of a page: the first is checked. */
	for (size_t i = script->from; ok && i < script->from + script->nr; i += script->step)
		ok = read(fd, (void *)(uintptr_t)(script->at + i * PAGE + 1), 1) == 1;
	close(fd);
	return ok;
}

static bool holds(const struct script *script)
{
	for (size_t i = 0; i < NR; i++)
		if (*page_of(script, i) != 1)
			return false;
	return true;
}

static bool fork_writer(struct script *script)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		for (size_t i = 0; i < NR; i++)
			*page_of(script, i) = 2;
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool do_errand(struct script *script)
{
	void *area = (void *)(uintptr_t)script->at;
	static char *const idle[] = { "sleep", "600", NULL };

	switch (script->errand) {
	case TOUCH:
		use(script, 2);
		return true;
	case WRITE:
		use(script, 1);
		return true;
	case READ:
		use(script, 0);
		return true;
	case DROP:
		return madvise((void *)(uintptr_t)(script->at + script->from * PAGE), script->nr * PAGE,
		               MADV_DONTNEED) == 0;
	case READ_FILE:
		return let_kernel_write(script);
	case CHECK:
		return holds(script);
	case UNMAP:
		return munmap((void *)(uintptr_t)(script->at + script->from * PAGE), script->nr * PAGE) == 0;
	case REPLACE:
		munmap(area, AREA);
		return make_area(script);
	case MOVE:
		script->at = OTHER_AT;
		return mremap(area, AREA, AREA, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)OTHER_AT) == (void *)OTHER_AT;
	case NEW:
		script->at = OTHER_AT;
		area = map_at(OTHER_AT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		if (area == NULL)
			return false;
		madvise(area, AREA, MADV_NOHUGEPAGE);
		memset(area, 1, AREA);
		return true;
	case FORK:
		return fork_writer(script);
	case EXEC:
		execvp(idle[0], idle);
		return false;
	case EXIT:
		break;
	case OPEN_UFFD:
		return syscall(SYS_userfaultfd, 1) >= 0;
	}
	return false;
}

static int serve_errands(int in, int out, void *arg)
{
	struct script *script = arg;

	script->is_there = make_area(script);
	child_say(out);
	for (;;) {
		child_pause(in);
		if (script->errand == EXIT)
			return 0;
		script->ok = do_errand(script);
		child_say(out);
	}
}

/* The target that has not been ended yet. */
static struct fixture *last;

void target_start(struct fixture *fix, enum area area, const char *path)
{
	last = fix;
	memset(fix, 0, sizeof(*fix));
	fix->script = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(fix->script, MAP_FAILED);
	fix->script->area = area;
	if (path != NULL)
		snprintf(fix->script->path, sizeof(fix->script->path), "%s", path);
	child_start(&fix->child, serve_errands, fix->script);
	if (tide_target_open(&fix->target, fix->child.pid, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
}

int sensor_try_open(struct fixture *fix, struct tide_error *err)
{
	int result = tide_sensor_choose(&fix->ops, sensor_name, err);

	if (result < 0)
		return result;
	fix->sensor = calloc(1, fix->ops->state_size);
	result = fix->ops->init(fix->sensor, fix->target, err);
	if (result < 0) {
		free(fix->sensor);
		fix->sensor = NULL;
	}
	return result;
}

void sensor_open(struct fixture *fix)
{
	if (sensor_try_open(fix, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
	update(fix);
}

void begin(struct fixture *fix, enum area area, const char *path)
{
	target_start(fix, area, path);
	sensor_open(fix);
	aim(fix, 4);
}

void sensor_close(struct fixture *fix)
{
	if (fix->sensor != NULL)
		fix->ops->cleanup(fix->sensor);
	free(fix->sensor);
	fix->sensor = NULL;
}

void target_end(struct fixture *fix)
{
	sensor_close(fix);
	tide_target_close(fix->target);
	child_end(&fix->child);
	munmap(fix->script, PAGE);
	last = NULL;
}

int end_last_target(void **unused)
{
	unsetenv("TIDEMARK_FAULT");
	if (last != NULL)
		target_end(last);
	return 0;
}

void run_errand(struct fixture *fix, enum errand errand, size_t from, size_t nr, size_t step)
{
	fix->script->errand = errand;
	fix->script->from = from;
	fix->script->nr = nr;
	fix->script->step = step;
	if (errand == EXEC || errand == EXIT) {
		child_tell(&fix->child);
		return;
	}
	child_step(&fix->child);
	assert_true(fix->script->ok);
}

void update(struct fixture *fix)
{
	const struct tide_range *ranges;
	size_t nr;

	if (fix->ops->update(fix->sensor, &ranges, &nr, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
	assert_true(nr > 0);
}

void prepare(struct fixture *fix)
{
	if (fix->ops->prepare_access_checks(fix->sensor, fix->checks, CHECKS, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
}

void check(struct fixture *fix)
{
	if (fix->ops->check_accesses(fix->sensor, fix->checks, CHECKS, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
}

void aim(struct fixture *fix, size_t step)
{
	for (size_t i = 0; i < CHECKS; i++)
		fix->checks[i].addr = fix->script->at + i * step * PAGE;
}

size_t count(const struct fixture *fix, enum tide_answer answer, enum tide_reason reason)
{
	size_t nr = 0;

	for (size_t i = 0; i < CHECKS; i++)
		nr += fix->checks[i].answer == answer && fix->checks[i].reason == reason;
	return nr;
}

static int take_block(void *arg, const struct tide_block *block)
{
	struct fixture *fix = arg;
	size_t pages = ((size_t)1 << block->entry_shift) / PAGE;

	for (size_t i = 0; i < block->nr_entries; i++) {
		size_t first = (block->start + (i << block->entry_shift) - fix->script->at) / PAGE;

		if (!(block->present[i / 64] >> i % 64 & 1))
			continue;
		fix->nr_huge += pages > 1;
		for (size_t page = first; page < first + pages && page < NR; page++) {
			fix->present[page]++;
			fix->young[page] = (block->young[i / 64] >> i % 64 & 1) != 0;
			fix->reason[page] = block->reason;
		}
	}
	return 0;
}

static int no_stuck(void *arg, uint64_t start, uint64_t end, enum tide_reason reason)
{
	(void)arg;
	fail_msg("%llx-%llx could not be forgotten: %s", (unsigned long long)start, (unsigned long long)end,
	         tide_reason_name(reason));
	return 0;
}

static void forget_young(struct fixture *fix)
{
	struct tide_young_run runs[NR];
	bool huge = fix->nr_huge > 0;
	size_t nr = 0;

	for (size_t i = 0; i < NR; i++) {
		uint64_t addr = fix->script->at + i * PAGE;

		if (!fix->young[i])
			continue;
		if (nr > 0 && runs[nr - 1].end == addr)
			runs[nr - 1].end += PAGE;
		else
			runs[nr++] = (struct tide_young_run){ addr, addr + PAGE, huge ? 21 : 12 };
	}
	if (fix->ops->forget(fix->sensor, runs, nr, no_stuck, NULL, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
}

void pass(struct fixture *fix, bool forget)
{
	/* How slow the machine is makes no difference. */
	struct tide_pass plan = { .interval_us = 1000000000, .max_stall_us = 10000000 };
	uint64_t at = fix->script->at;
	uint64_t end = at + AREA;

	memset(fix->present, 0, sizeof(fix->present));
	memset(fix->young, 0, sizeof(fix->young));
	memset(fix->reason, 0, sizeof(fix->reason));
	fix->nr_huge = 0;
	if (fix->ops->plan(fix->sensor, &plan, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
	assert_int_equal(plan.way, TIDE_WAY_RWP);
	assert_false(plan.whole);
	while (at < end)
		if (fix->ops->scan(fix->sensor, at, end, 1000, take_block, fix, &at, &fix->err) < 0)
			fail_msg("%s", fix->err.text);
	if (forget)
		forget_young(fix);
}

static FILE *open_proc(const struct fixture *fix, const char *name)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", fix->child.pid, name);
	file = fopen(path, "re");
	assert_non_null(file);
	return file;
}

size_t smaps(const struct fixture *fix, const char *field)
{
	FILE *file = open_proc(fix, "smaps");
	char line[512];
	bool here = false;
	size_t result = 0;

	while (fgets(line, sizeof(line), file) != NULL) {
		unsigned long start, end, kib;
		char name[64];

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = fix->script->at >= start && fix->script->at < end;
		else if (here && sscanf(line, "%63[^:]: %lu kB", name, &kib) == 2 && strcmp(name, field) == 0)
			result = kib * 1024;
	}
	fclose(file);
	return result;
}

long status_kib(const struct fixture *fix, const char *field)
{
	FILE *file = open_proc(fix, "status");
	char line[256];
	long result = -1;
	size_t length = strlen(field);

	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, field, length) == 0 && line[length] == ':')
			result = strtol(line + length + 1, NULL, 10);
	fclose(file);
	return result;
}

char *maps_text(const struct fixture *fix)
{
	FILE *file = open_proc(fix, "maps");
	char *text = calloc(1, 65536);

	assert_non_null(text);
	assert_true(fread(text, 1, 65535, file) > 0);
	fclose(file);
	return text;
}
