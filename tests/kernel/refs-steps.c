/* SPDX-License-Identifier: MIT */
/* This file keeps a child whose memory the refs sensor watches. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "refs-steps.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/maps.h"

#define MOSAIC_BYTES (refs_nr_mosaic() * 2 * PAGE)
#define HUGE         (2ul << 20)

struct orders {
	enum refs_order order;
	size_t first;
	size_t nr;
};

/* The child's own view. */
struct servant {
	unsigned char *area;
	enum area_kind kind;
	const struct orders *orders;
	int in;
	int out;
};

static void must(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	_exit(1);
}

static void flush_tlb(const struct servant *servant, unsigned char *from, size_t bytes)
{
	int prot = servant->kind == AREA_FILE ? PROT_READ : PROT_READ | PROT_WRITE;

	if (servant->kind == AREA_MOSAIC)
		return;
	must(mprotect(from, bytes, PROT_NONE) == 0 && mprotect(from, bytes, prot) == 0, "mprotect");
}

static void use(const struct servant *servant, unsigned char *from, size_t bytes)
{
	flush_tlb(servant, servant->area, servant->kind == AREA_MOSAIC ? 0 : AREA_BYTES);
	for (size_t i = 0; i < bytes; i += PAGE) {
		if (servant->orders->order == DO_WRITE)
			((volatile unsigned char *)from)[i]++;
		else
			(void)((volatile unsigned char *)from)[i];
	}
}

static void serve(struct servant *servant);

static void *take_over(void *arg)
{
	struct servant *servant = arg;

	/* The main thread is a zombie in a moment; whoever asks before that asks the kernel to wait. */
	usleep(100000);
	serve(servant);
	return NULL;
}

static void leave_to_another_thread(struct servant *servant)
{
	pthread_t thread;

	must(pthread_create(&thread, NULL, take_over, servant) == 0, "pthread_create");
	syscall(SYS_exit, 0);
}

static void obey(struct servant *servant)
{
	const struct orders *orders = servant->orders;
	unsigned char *from = servant->area + orders->first * PAGE;
	size_t bytes = orders->nr * PAGE;
	int kvm;

	switch (orders->order) {
	case DO_WRITE:
	case DO_READ:
		use(servant, from, bytes);
		break;
	case DO_DROP:
		must(madvise(from, bytes, MADV_DONTNEED) == 0, "madvise");
		break;
	case DO_UNMAP:
		must(munmap(from, bytes) == 0, "munmap");
		break;
	case DO_MOSAIC:
		for (size_t i = 0; i < orders->nr; i += 2)
			servant->area[i * 2 * PAGE]++;
		break;
	case DO_MACHINE:
		kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
		must(kvm >= 0 && ioctl(kvm, KVM_CREATE_VM, 0ul) >= 0 && close(kvm) == 0, "a virtual machine");
		break;
	case DO_HIDE:
		must(prctl(PR_SET_DUMPABLE, 0) == 0, "prctl");
		break;
	case DO_EXEC:
		dup2(servant->in, 0);
		dup2(servant->out, 1);
		execlp("sh", "sh", "-c", "echo; exec sleep 100", (char *)NULL);
		must(0, "execlp");
		break;
	case DO_LEADER_EXIT:
		leave_to_another_thread(servant);
		break;
	}
}

static void serve(struct servant *servant)
{
	for (;;) {
		child_say(servant->out);
		child_pause(servant->in);
		obey(servant);
	}
}

static void populate(struct servant *servant)
{
	unsigned char *area = servant->area;

	switch (servant->kind) {
	case AREA_MOSAIC:
		for (size_t i = 0; i < MOSAIC_BYTES; i += 2 * PAGE)
			must(mprotect(area + i, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
		for (size_t i = 0; i < MOSAIC_BYTES; i += 2 * PAGE)
			area[i]++;
		break;
	case AREA_RESERVED:
		area[0]++;
		area[RESERVED_BYTES / 2]++;
		area[RESERVED_BYTES / 2 + HUGE / 2]++;
		break;
	case AREA_FILE:
		for (size_t i = 0; i < AREA_BYTES; i += PAGE)
			(void)((volatile unsigned char *)area)[i];
		break;
	default:
		for (size_t i = 0; i < AREA_BYTES; i += PAGE)
			area[i]++;
	}
}

static int live(int in, int out, void *arg)
{
	struct servant *servant = arg;

	servant->in = in;
	servant->out = out;
	populate(servant);
	serve(servant);
	return 0;
}

/* Apart from its neighbours: a mapping of its own in every process. */
static unsigned char *map_apart(size_t bytes, int prot, int flags, int fd)
{
	unsigned char *room = mmap(NULL, bytes + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(room, MAP_FAILED);
	assert_ptr_equal(mmap(room + PAGE, bytes, prot, flags | MAP_FIXED, fd, 0), room + PAGE);
	return room + PAGE;
}

static unsigned char *map_file(void)
{
	char path[] = "/tmp/tidemark-refs-XXXXXX";
	static const unsigned char page[PAGE] = { 1 };
	unsigned char *area;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	for (size_t i = 0; i < AREA_PAGES; i++)
		assert_int_equal(write(fd, page, PAGE), PAGE);
	area = map_apart(AREA_BYTES, PROT_READ, MAP_PRIVATE, fd);
	close(fd);
	return area;
}

static unsigned char *map_area(enum area_kind kind)
{
	switch (kind) {
	case AREA_PRIVATE:
		return map_apart(AREA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	case AREA_SHARED:
		return map_apart(AREA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	case AREA_RESERVED:
		return map_apart(RESERVED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		                 -1);
	case AREA_MOSAIC:
		return map_apart(MOSAIC_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	default:
		return map_file();
	}
}

size_t refs_nr_mosaic(void)
{
	size_t allowed = maps_limit() / 5 * 2;

	return allowed < 10000 ? allowed : 10000;
}

static size_t area_bytes(enum area_kind kind)
{
	if (kind == AREA_RESERVED)
		return RESERVED_BYTES;
	return kind == AREA_MOSAIC ? MOSAIC_BYTES : AREA_BYTES;
}

int refs_setup(void **state)
{
	struct refs *self = calloc(1, sizeof(*self));

	*state = self;
	return self == NULL;
}

void refs_end(struct refs *self)
{
	if (self->sensor != NULL)
		self->ops->cleanup(self->sensor);
	free(self->sensor);
	tide_target_close(self->target);
	child_end(&self->child);
	self->sensor = NULL;
	self->target = NULL;
}

int refs_teardown(void **state)
{
	unsetenv("TIDEMARK_FAULT");
	refs_end(*state);
	free(*state);
	return 0;
}

void refs_start_child(struct refs *self, enum area_kind kind)
{
	struct servant servant = { .kind = kind };

	self->orders = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(self->orders, MAP_FAILED);
	self->area = map_area(kind);
	servant.area = self->area;
	servant.orders = self->orders;
	self->check.addr = (uint64_t)(uintptr_t)self->area + area_bytes(kind) / 2;
	child_start(&self->child, live, &servant);
	/* Both have it; the test needs it of shared memory only. */
	if (kind != AREA_SHARED)
		munmap(self->area, area_bytes(kind));
}

int refs_open(struct refs *self, struct tide_error *err)
{
	int result = tide_sensor_choose(&self->ops, "refs", err);

	if (result == 0)
		result = tide_target_open(&self->target, self->child.pid, err);
	if (result < 0)
		return result;
	self->sensor = calloc(1, self->ops->state_size);
	result = self->ops->init(self->sensor, self->target, err);
	if (result < 0) {
		free(self->sensor);
		self->sensor = NULL;
	}
	return result;
}

void refs_start(struct refs *self, enum area_kind kind)
{
	struct tide_error err = { 0 };

	refs_start_child(self, kind);
	if (refs_open(self, &err) < 0)
		fail_msg("%s", err.text);
}

void refs_order(struct refs *self, enum refs_order order, size_t first, size_t nr)
{
	*self->orders = (struct orders){ order, first, nr };
	child_step(&self->child);
}

void refs_prepare(struct refs *self)
{
	struct tide_error err = { 0 };

	if (self->ops->prepare_access_checks(self->sensor, &self->check, 1, &err) < 0)
		fail_msg("%s", err.text);
}

void refs_check(struct refs *self)
{
	struct tide_error err = { 0 };

	self->check.answer = 99;
	if (self->ops->check_accesses(self->sensor, &self->check, 1, &err) < 0)
		fail_msg("%s", err.text);
}

void refs_turn(struct refs *self)
{
	struct tide_check fresh = { .addr = self->check.addr };
	struct tide_error err = { 0 };

	if (self->ops->turn(self->sensor, &self->check, 1, &fresh, 1, &err) < 0)
		fail_msg("%s", err.text);
	memcpy(self->check.state, fresh.state, sizeof(fresh.state));
}

void refs_assert(const struct refs *self, enum tide_answer answer, enum tide_reason reason)
{
	if (self->check.answer != answer || self->check.reason != reason)
		fail_msg("answer %d (%s), not %d (%s)", self->check.answer, tide_reason_name(self->check.reason),
		         answer, tide_reason_name(reason));
}
