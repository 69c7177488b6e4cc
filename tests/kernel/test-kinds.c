/* SPDX-License-Identifier: MIT */
/* This file makes ordinary memory of every kind: private, shared, of files, base pages and transparent huge ones. */
#include "kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

#include "child.h"

#define RW         (PROT_READ | PROT_WRITE)
#define SIZE       (4 * KINDS_MIB)
#define HUGE_SIZE  (16 * KINDS_MIB)
#define ANON       (MAP_PRIVATE | MAP_NORESERVE)
#define FIVE_LEVEL (UINT64_C(1) << 52)

static void base_at(struct place *place, uint64_t hint)
{
	if (kinds_map_at(place, hint, SIZE, RW, ANON, -1) && kinds_advise(place, MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE"))
		kinds_write(place);
}

static void base(struct place *place)
{
	base_at(place, KINDS_START);
}

/* The kernel goes above 47 bits only for who asks for it. */
static void far_up(struct place *place)
{
	base_at(place, FIVE_LEVEL);
	if (place->lacks[0] == '\0' && place->start < FIVE_LEVEL)
		kinds_lack(place, "page tables have four levels here");
}

static void locked(struct place *place)
{
	base(place);
	if (mlock((void *)place->start, SIZE) != 0)
		kinds_lack(place, "mlock: %s", strerror(errno));
}

static void forbid(struct place *place)
{
	if (place->lacks[0] == '\0' && mprotect((void *)place->start, place->end - place->start, PROT_NONE) != 0)
		kinds_lack(place, "mprotect: %s", strerror(errno));
}

static void allow(struct place *place)
{
	if (mprotect((void *)place->start, place->end - place->start, RW) != 0)
		_exit(1);
}

static void forbidden(struct place *place)
{
	base(place);
	forbid(place);
}

/* Allowed for the moment of its use, as the memory of an allocator that watches is. */
static void use_forbidden(struct place *place)
{
	allow(place);
	kinds_touch(place, 2 * KINDS_PAGE, true);
	forbid(place);
}

static void zero(struct place *place)
{
	if (kinds_map(place, SIZE, RW, ANON, -1) && kinds_advise(place, MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE"))
		kinds_read(place);
}

static void untouched(struct place *place)
{
	if (kinds_map(place, SIZE, RW, ANON, -1))
		kinds_advise(place, MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE");
}

static void live_on(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

/* Another process that has the same pages, and has read them; both ends of a pipe wait for it. */
static void share(struct place *place)
{
	int ends[2];
	pid_t other;

	if (place->lacks[0] != '\0' || pipe2(ends, O_CLOEXEC) != 0)
		return;
	other = fork();
	if (other == 0) {
		kinds_read(place);
		child_say(ends[1]);
		live_on();
	}
	child_pause(ends[0]);
	close(ends[0]);
	close(ends[1]);
}

static void copied_on_write(struct place *place)
{
	base(place);
	share(place);
}

static int file_of(size_t bytes)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *buffer = malloc(bytes);

	if (fd < 0)
		fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || buffer == NULL)
		return -1;
	memset(buffer, 1, bytes);
	if (write(fd, buffer, bytes) != (ssize_t)bytes)
		return -1;
	free(buffer);
	return fd;
}

static void of_file(struct place *place, int prot, int flags)
{
	int fd = file_of(SIZE);

	if (fd < 0)
		kinds_lack(place, "no file of 4 MiB in /var/tmp or /tmp: %s", strerror(errno));
	else
		kinds_map(place, SIZE, prot, flags, fd);
	close(fd);
}

static void file_read(struct place *place)
{
	of_file(place, PROT_READ, MAP_PRIVATE);
	if (place->lacks[0] == '\0')
		kinds_read(place);
}

static void file_copied(struct place *place)
{
	of_file(place, RW, MAP_PRIVATE);
	if (place->lacks[0] == '\0')
		kinds_write(place);
}

static void file_shared(struct place *place)
{
	file_read(place);
	share(place);
}

static void memory_file(struct place *place, size_t bytes)
{
	int fd = memfd_create("kinds", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
		kinds_lack(place, "memfd: %s", strerror(errno));
	else
		kinds_map(place, bytes, RW, MAP_SHARED, fd);
	close(fd);
}

static void shmem(struct place *place)
{
	memory_file(place, SIZE);
	if (place->lacks[0] == '\0')
		kinds_write(place);
}

static void shmem_shared(struct place *place)
{
	shmem(place);
	share(place);
}

static const struct kind kinds[] = {
	{ "private memory", "A1_private_memory", base, .must = TIDE_PAGE_PRESENT,
	  .never = TIDE_PAGE_SWAPPED | TIDE_PAGE_FILE | TIDE_PAGE_HUGE | TIDE_PAGE_ZERO, .claim = CLAIM_SEEN,
	  .touch = TOUCH_WRITE, .dirty = true },
	{ "private memory above 47 bits (5-level page tables)", "A4_memory_above_47_bits", far_up,
	  .must = TIDE_PAGE_PRESENT, .never = TIDE_PAGE_SWAPPED | TIDE_PAGE_FILE | TIDE_PAGE_HUGE | TIDE_PAGE_ZERO,
	  .claim = CLAIM_SEEN, .touch = TOUCH_WRITE, .dirty = true },
	{ "mapped, never touched", "A1_memory_that_comes", untouched,
	  .never = TIDE_PAGE_PRESENT | TIDE_PAGE_SWAPPED | TIDE_PAGE_FILE | TIDE_PAGE_HUGE | TIDE_PAGE_ZERO,
	  .claim = CLAIM_ABSENT, .touch = TOUCH_WRITE },
	{ "the page of zeros", "A8_the_page_of_zeros_is_unobservable", zero, .must = TIDE_PAGE_PRESENT | TIDE_PAGE_ZERO,
	  .never = TIDE_PAGE_SWAPPED | TIDE_PAGE_FILE | TIDE_PAGE_HUGE, .claim = CLAIM_NONE, .reasons = REASON(SPECIAL),
	  .touch = TOUCH_READ },
	{ "locked memory", "A8_locked_memory_is_unobservable_whatever_happens", locked, .must = TIDE_PAGE_PRESENT,
	  .never = TIDE_PAGE_SWAPPED | TIDE_PAGE_FILE | TIDE_PAGE_HUGE | TIDE_PAGE_ZERO, .claim = CLAIM_NONE,
	  .reasons = REASON(LOCKED), .touch = TOUCH_WRITE, .dirty = true },
	{ "forbidden memory (PROT_NONE)", "A1_forbidden_memory_that_is_allowed_for_a_moment", forbidden, use_forbidden,
	  .must = TIDE_PAGE_PRESENT, .never = TIDE_PAGE_SWAPPED | TIDE_PAGE_FILE | TIDE_PAGE_HUGE | TIDE_PAGE_ZERO,
	  .claim = CLAIM_SEEN, .touch = TOUCH_WRITE, .dirty = true },
	{ "private memory after fork, not yet copied", "A8_memory_a_child_still_shares_is_unobservable",
	  copied_on_write, .must = TIDE_PAGE_PRESENT,
	  .never = TIDE_PAGE_SWAPPED | TIDE_PAGE_FILE | TIDE_PAGE_HUGE | TIDE_PAGE_ZERO, .claim = CLAIM_NONE,
	  .reasons = REASON(SHARED), .touch = TOUCH_WRITE, .dirty = true },
	{ "a file, read", "A1_a_file_that_is_read", file_read, .must = TIDE_PAGE_PRESENT | TIDE_PAGE_FILE,
	  .never = TIDE_PAGE_SWAPPED | TIDE_PAGE_ZERO, .claim = CLAIM_SEEN, .touch = TOUCH_READ },
	{ "a file, private, written", "A1_a_private_copy_of_a_file", file_copied, .must = TIDE_PAGE_PRESENT,
	  .never = TIDE_PAGE_SWAPPED | TIDE_PAGE_FILE | TIDE_PAGE_HUGE | TIDE_PAGE_ZERO, .claim = CLAIM_SEEN,
	  .touch = TOUCH_WRITE, .dirty = true },
	{ "a file, read by two processes", "A8_a_file_that_two_read_is_unobservable", file_shared,
	  .must = TIDE_PAGE_PRESENT | TIDE_PAGE_FILE, .never = TIDE_PAGE_SWAPPED | TIDE_PAGE_ZERO, .claim = CLAIM_NONE,
	  .reasons = REASON(SHARED), .touch = TOUCH_READ },
	{ "shared memory (memfd) of one process", "A1_shared_memory_of_one_process", shmem,
	  .must = TIDE_PAGE_PRESENT | TIDE_PAGE_FILE, .never = TIDE_PAGE_SWAPPED | TIDE_PAGE_HUGE | TIDE_PAGE_ZERO,
	  .claim = CLAIM_SEEN, .touch = TOUCH_WRITE, .dirty = true },
	{ "shared memory of two processes", "A8_shared_memory_of_two_is_unobservable", shmem_shared,
	  .must = TIDE_PAGE_PRESENT | TIDE_PAGE_FILE, .never = TIDE_PAGE_SWAPPED | TIDE_PAGE_HUGE | TIDE_PAGE_ZERO,
	  .claim = CLAIM_NONE, .reasons = REASON(SHARED), .touch = TOUCH_WRITE, .dirty = true },
};

int main(int argc, char **argv)
{
	return kinds_main(kinds, sizeof(kinds) / sizeof(kinds[0]), argc, argv);
}
