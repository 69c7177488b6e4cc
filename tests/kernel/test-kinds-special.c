/* SPDX-License-Identifier: MIT */
/* This file maps what is not ordinary memory: device pages, rings, the kernel's clock; and looks at a 32-bit process.
 */
#include "kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ring.h"

#define RW   (PROT_READ | PROT_WRITE)
#define SIZE (4 * KINDS_MIB)

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

static const char *program32;

static void secret(struct place *place)
{
	int fd = (int)syscall(SYS_memfd_secret, 0);

	if (fd < 0 || ftruncate(fd, SIZE) != 0)
		kinds_lack(place, "memfd_secret: %s", strerror(errno));
	else if (kinds_map(place, SIZE, RW, MAP_SHARED, fd))
		kinds_write(place);
	close(fd);
}

static void use_clock(struct place *place)
{
	struct timespec now;

	(void)place;
	clock_gettime(CLOCK_MONOTONIC, &now);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
}

/* The first page of the kernel's data for the vDSO: reading the time reads it. */
static void clock_page(struct place *place)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];

	kinds_lack(place, "no [vvar] here");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		unsigned long start;

		if (strstr(line, "[vvar]") == NULL || sscanf(line, "%lx-", &start) != 1)
			continue;
		*place = (struct place){ .start = start, .end = start + KINDS_PAGE };
		use_clock(place);
	}
	if (file != NULL)
		fclose(file);
}

static void ring_page(struct place *place)
{
	static struct ring ring;
	int result = ring_open(&ring);

	if (result < 0) {
		kinds_lack(place, "io_uring: %s", strerror(-result));
		return;
	}
	place->start = (uint64_t)(uintptr_t)ring.queue;
	place->end = place->start + KINDS_PAGE;
	kinds_read(place);
}

static void perf_page(struct place *place)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
		                        .size = sizeof(attr),
		                        .config = PERF_COUNT_SW_DUMMY };
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		kinds_lack(place, "perf_event_open: %s", strerror(errno));
	else if (kinds_map(place, 2 * KINDS_PAGE, RW, MAP_SHARED, fd))
		kinds_read(place);
}

/* The old place of the video BIOS. */
static void device(struct place *place)
{
	int fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	size_t size = 16 * KINDS_PAGE;
	void *memory;

	if (fd < 0) {
		kinds_lack(place, "/dev/mem: %s", strerror(errno));
		return;
	}
	memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0xc0000);
	if (memory == MAP_FAILED) {
		kinds_lack(place, "mmap of /dev/mem: %s", strerror(errno));
		return;
	}
	place->start = (uint64_t)(uintptr_t)memory;
	place->end = place->start + size;
	kinds_read(place);
}

/* Becomes another program, which does as child_serve() does; see kinds32.c. */
static void in_32_bits(struct place *place)
{
	kinds_lack(place, "no 32-bit programs can be built here");
	if (program32 == NULL)
		return;
	*place = (struct place){ .start = KINDS32_START, .end = KINDS32_END };
	kinds_become(program32);
	kinds_lack(place, "%s: %s", program32, strerror(errno));
}

#define OTHERS (TIDE_PAGE_SWAPPED | TIDE_PAGE_ZERO | TIDE_PAGE_HUGE)

static const struct kind kinds[] = {
	{ "secret memory (memfd_secret)", "A8_secret_memory_is_not_guessed_at", secret,
	  .must = TIDE_PAGE_PRESENT | TIDE_PAGE_FILE, .never = OTHERS, .claim = CLAIM_EITHER, .reasons = REASON(LOCKED),
	  .touch = TOUCH_WRITE, .dirty = true },
	{ "the kernel's clock ([vvar])", "A8_the_clock_page_is_unobservable", clock_page, use_clock, .never = OTHERS,
	  .claim = CLAIM_NONE, .reasons = REASON(SPECIAL) | REASON(OFF_LRU), .touch = TOUCH_READ, .is_device = true },
	{ "io_uring's rings", "A8_rings_are_unobservable", ring_page, .never = OTHERS, .claim = CLAIM_NONE,
	  .reasons = REASON(SPECIAL) | REASON(OFF_LRU), .touch = TOUCH_READ, .is_device = true },
	{ "perf's ring", "A8_perf_rings_are_unobservable", perf_page, .never = OTHERS, .claim = CLAIM_NONE,
	  .reasons = REASON(SPECIAL) | REASON(OFF_LRU), .touch = TOUCH_READ, .is_device = true },
	{ "device memory (/dev/mem)", "A8_device_memory_is_unobservable", device,
	  .never = OTHERS | TIDE_PAGE_PRESENT | TIDE_PAGE_FILE, .claim = CLAIM_NONE, .reasons = REASON(SPECIAL),
	  .touch = TOUCH_READ, .is_device = true },
	{ "private memory of a 32-bit process", "A1_memory_of_a_32_bit_process", in_32_bits, .must = TIDE_PAGE_PRESENT,
	  .never = OTHERS | TIDE_PAGE_FILE, .claim = CLAIM_SEEN, .touch = TOUCH_WRITE, .dirty = true },
};

int main(int argc, char **argv)
{
	if (argc > 1 && argv[1][0] != '-')
		program32 = argv[1];
	return kinds_main(kinds, sizeof(kinds) / sizeof(kinds[0]), argc, argv);
}
