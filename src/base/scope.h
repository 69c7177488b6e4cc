/* SPDX-License-Identifier: MIT */
/* Ownership that shows in the declaration: scope-bound variables release themselves, `take_*` marks a hand-over. */
#ifndef BASE_SCOPE_H
#define BASE_SCOPE_H

#include <stdlib.h>
#include <unistd.h>

#define scope_free __attribute__((cleanup(scope_free_cleanup)))
#define scope_fd   __attribute__((cleanup(scope_fd_cleanup)))

static inline void scope_free_cleanup(void *slot)
{
	free(*(void **)slot);
}

static inline void scope_fd_cleanup(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void *take_slot(void *slot)
{
	void *taken = *(void **)slot;

	*(void **)slot = NULL;
	return taken;
}

#define take_ptr(ptr) ((__typeof__(ptr))take_slot(&(ptr)))

#endif
