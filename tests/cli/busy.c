/* SPDX-License-Identifier: MIT */
/*
 * This file is a program to watch: it holds 32 MiB, keeps touching the first quarter, and ends when its starter does.
 * With an argument ("huge") it asks for huge pages.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <time.h>

#define SIZE (32u << 20)

int main(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (memory == MAP_FAILED)
		return 1;
	if (argc > 1)
		madvise(memory, SIZE, MADV_HUGEPAGE);
	memset(memory, 1, SIZE);
	for (;;) {
		for (size_t i = 0; i < SIZE / 4; i += 4096)
			((volatile char *)memory)[i]++;
		nanosleep(&pause, NULL);
	}
}
