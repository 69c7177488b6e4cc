/* SPDX-License-Identifier: MIT */
/*
 * This file tracks writes as collectors and emulators do without help of the kernel: by mprotect(2), and a handler that
 * notes the page and unprotects it. One arena at a time.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "write-tracking.h"

static struct {
	unsigned char *arena;
	uint64_t size;
	unsigned char *written;  /* one byte for each page */
	pthread_spinlock_t lock; /* protection and `written` change together */
	struct sigaction before;
} fault;

static void handle(int signal_number, siginfo_t *info, void *context)
{
	uint64_t at = (uint64_t)((unsigned char *)info->si_addr - fault.arena) & ~(PAGE - 1);

	(void)context;
	if (at >= fault.size) {
		signal(signal_number, SIG_DFL);
		return;
	}
	pthread_spin_lock(&fault.lock);
	fault.written[at / PAGE] = 1;
	mprotect(fault.arena + at, PAGE, PROT_READ | PROT_WRITE);
	pthread_spin_unlock(&fault.lock);
}

void fault_start(unsigned char *arena, uint64_t size)
{
	struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_NODEFER };

	fault.arena = arena;
	fault.size = size;
	fault.written = calloc(1, size / PAGE);
	if (fault.written == NULL)
		fail("no memory", 0);
	pthread_spin_init(&fault.lock, PTHREAD_PROCESS_PRIVATE);
	sigaction(SIGSEGV, &action, &fault.before);
}

void fault_arm(void)
{
	memset(fault.written, 0, fault.size / PAGE);
	mprotect(fault.arena, fault.size, PROT_READ);
}

/* Pages that are next to each other are protected in one call, as one would. */
uint64_t fault_collect(uint64_t *addresses, uint64_t max)
{
	uint64_t nr = 0, nr_pages = fault.size / PAGE;

	pthread_spin_lock(&fault.lock);
	for (uint64_t page = 0; page < nr_pages && nr < max;) {
		uint64_t first = page;

		for (; page < nr_pages && fault.written[page] && nr < max; page++)
			addresses[nr++] = (uint64_t)(uintptr_t)fault.arena + page * PAGE;
		if (page > first) {
			memset(fault.written + first, 0, page - first);
			mprotect(fault.arena + first * PAGE, (page - first) * PAGE, PROT_READ);
		} else {
			page++;
		}
	}
	pthread_spin_unlock(&fault.lock);
	return nr;
}

void fault_end(void)
{
	mprotect(fault.arena, fault.size, PROT_READ | PROT_WRITE);
	sigaction(SIGSEGV, &fault.before, NULL);
	free(fault.written);
	pthread_spin_destroy(&fault.lock);
}
