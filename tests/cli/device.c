/* SPDX-License-Identifier: MIT */
/*
 * This file is a program to watch: a device (io_uring, by reads into registered buffers) writes all of its 64 pinned
 * pages again and again, of which page tables tell nothing. Ends with status 77 where there is no io_uring.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "ring.h"

#define PAGE     4096u
#define NR_PAGES 64u

int main(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	unsigned char *memory = mmap(NULL, NR_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec buffer = { memory, NR_PAGES * PAGE };
	int file = memfd_create("numbers", MFD_CLOEXEC);
	struct ring ring;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (memory == MAP_FAILED || file < 0 || ftruncate(file, PAGE) < 0)
		return 1;
	memset(memory, 1, NR_PAGES * PAGE);
	if (ring_open(&ring) < 0 || ring_register(&ring, &buffer, 1) < 0) {
		fprintf(stderr, "no io_uring here\n");
		return 77;
	}
	printf("%lx\n", (unsigned long)memory);
	fflush(stdout);
	for (unsigned number = 0;; number++) {
		if (pwrite(file, &number, sizeof(number), 0) != sizeof(number))
			return 1;
		for (unsigned page = 0; page < NR_PAGES; page++)
			if (ring_read_fixed(&ring, file, memory + page * PAGE, PAGE, 0, 0) != (int)PAGE)
				return 1;
		nanosleep(&pause, NULL);
	}
}
