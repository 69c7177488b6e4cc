/* SPDX-License-Identifier: MIT */
/* What tests of the way "damon" share. They write to DAMON's files, so they run in a virtual machine only. */
#ifndef TESTS_KERNEL_DAMON_STEPS_H
#define TESTS_KERNEL_DAMON_STEPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* 0: this is a guest that is ours alone. 77, with the reason on stderr: DAMON belongs to somebody else. */
int damon_steps_need_guest(void);

/*
 * What main() returns: of `tests`, run in a guest where the way works, with the module damon_stat off meanwhile; 77 in
 * other places and on the lanes of old kernels; 1 where it should work and does not.
 */
int damon_steps_main(int (*tests)(void));

/* Switches the module damon_stat on or off; true when it was on. */
bool damon_steps_stat_module(bool on);

/* DAMON's files, below /sys/kernel/mm/damon/admin/kdamonds. */
void damon_steps_write(const char *path, const char *text);
void damon_steps_read(const char *path, char text[64]);

/* Nobody uses DAMON: no kdamond in sysfs, none running, no claim in the journal. */
void damon_steps_assert_free(void);

/* Kernel threads of DAMON. */
unsigned damon_steps_nr_kdamonds(void);

/* DAMON leaves it alone where it clears: an access by what it holds leaves no bit. Of the caller's own processor. */
void damon_steps_flush_tlb(void);

/* Pages of a process's range that are young, counted in 4 KiB. */
uint64_t damon_steps_young(pid_t pid, uint64_t start, uint64_t end);

#endif
