/* SPDX-License-Identifier: MIT */
/* This file maps and populates a workload's memory. */
#include "area.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/scope.h"

#define HUGE_PAGE (2u << 20)

static int complain(const char *what)
{
	int code = -errno;

	fprintf(stderr, "%s: %s\n", what, strerror(-code));
	return code;
}

/* Each page gets a content of its own, so that nothing can merge them. */
static void populate(uint8_t *start, uint64_t size)
{
	for (uint64_t offset = 0; offset < size; offset += ORACLE_PAGE)
		*(volatile uint64_t *)(start + offset) = offset + 1;
}

static void read_all(const uint8_t *start, uint64_t size)
{
	for (uint64_t offset = 0; offset < size; offset += ORACLE_PAGE)
		(void)*(const volatile uint64_t *)(start + offset);
}

/* Aligned to huge pages, with nothing of ours directly beside it: neighbours would be merged into one mapping. */
static uint8_t *reserve(uint64_t size)
{
	uint8_t *raw = mmap(NULL, size + 2 * HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (raw == MAP_FAILED)
		return NULL;
	return (uint8_t *)(((uintptr_t)raw + HUGE_PAGE) & ~(uintptr_t)(HUGE_PAGE - 1));
}

static uint8_t *map_at_reserved(uint64_t size, int flags, int fd)
{
	uint8_t *wanted = reserve(size);
	uint8_t *got;

	if (!wanted)
		return NULL;
	got = mmap(wanted, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);
	return got == MAP_FAILED ? NULL : got;
}

/* A second process that has every page in its page table, and does nothing else. It dies with us. */
static int start_companion(struct area *area)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return complain("pipe");
	pid = fork();
	if (pid < 0)
		return complain("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		read_all(area->start, area->size);
		if (write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	area->companion = pid;
	if (read(ready[0], &byte, 1) != 1) {
		close(ready[0]);
		errno = EIO;
		return complain("the second process did not start");
	}
	close(ready[0]);
	return 0;
}

static int open_file(const char *directory, uint64_t size)
{
	scope_fd int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return -1;
	return take_fd(&fd);
}

static int map_shared_file(struct area *area, int file, bool twice)
{
	scope_fd int fd = file;

	if (fd < 0)
		return complain("backing file");
	area->start = map_at_reserved(area->size, MAP_SHARED, fd);
	if (area->start && twice)
		area->second = map_at_reserved(area->size, MAP_SHARED, fd);
	return area->start && (area->second || !twice) ? 0 : complain("mmap");
}

static int map_kind(struct area *area, enum page_kind kind, const char *directory)
{
	int fd;

	if (kind == PAGE_FILE)
		return map_shared_file(area, open_file(directory, area->size), false);
	if (kind == PAGE_MEMFD) {
		fd = memfd_create("oracle", MFD_CLOEXEC);
		if (fd >= 0 && ftruncate(fd, (off_t)area->size) < 0)
			return complain("ftruncate");
		return map_shared_file(area, fd, true);
	}
	area->start = map_at_reserved(area->size, MAP_ANONYMOUS | (kind == PAGE_SHARED ? MAP_SHARED : MAP_PRIVATE), -1);
	if (!area->start)
		return complain("mmap");
	/* Where the kernel has no huge pages at all, refusing them is an error that means success. */
	if (madvise(area->start, area->size, kind == PAGE_THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) < 0 &&
	    kind == PAGE_THP)
		return complain("madvise(MADV_HUGEPAGE)");
	return 0;
}

int area_open(struct area *area, enum page_kind kind, uint64_t size, const char *directory)
{
	int rc;

	*area = (struct area){ .size = size };
	rc = map_kind(area, kind, directory);
	if (rc < 0)
		return rc;
	populate(area->start, size);
	if (area->second)
		read_all(area->second, size);
	if (kind == PAGE_LOCKED && mlock(area->start, size) < 0)
		return complain("mlock (raise the limit with ulimit -l, or be root)");
	return kind == PAGE_SHARED ? start_companion(area) : 0;
}

void area_close(struct area *area)
{
	if (area->companion > 0) {
		kill(area->companion, SIGKILL);
		waitpid(area->companion, NULL, 0);
	}
	if (area->start)
		munmap(area->start, area->size);
	if (area->second)
		munmap(area->second, area->size);
	*area = (struct area){ 0 };
}

uint64_t area_huge_bytes(const struct area *area)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	uint64_t start = 0;
	uint64_t huge = 0;
	uint64_t kib;
	uint64_t low;
	uint64_t high;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &low, &high) == 2)
			start = low;
		else if (start >= (uintptr_t)area->start && start < (uintptr_t)area->start + area->size &&
		         (sscanf(line, "AnonHugePages: %" SCNu64, &kib) == 1 ||
		          sscanf(line, "ShmemPmdMapped: %" SCNu64, &kib) == 1))
			huge += kib * 1024;
	}
	if (file)
		fclose(file);
	return huge;
}
