/* SPDX-License-Identifier: MIT */
/*
 * userfaultfd(2) write protection (Documentation/admin-guide/mm/userfaultfd.rst). A descriptor belongs to the memory of
 * the process that made it, also when another process holds it. All calls: 0 or -errno.
 */
#ifndef KERNEL_UFFD_H
#define KERNEL_UFFD_H

#include <stdint.h>

/* The bits of the handshake that Debian 12's headers do not have yet. */
enum {
	UFFD_WP_UNPOPULATED = 1 << 13,
	UFFD_WP_ASYNC = 1 << 15,
};

/* Flag of userfaultfd(2) that needs no privilege; only for asynchronous protection, else the owner's system calls fail
 * with EFAULT. */
enum {
	UFFD_USER_ONLY = 1,
};

/* The handshake, once for each descriptor. -EINVAL: this kernel has not got one of the features. */
int uffd_api(int fd, uint64_t features);

/*
 * Registers for write protection. -EINVAL: a mapping in the range cannot be (VM_SPECIAL, never writable, a hole, ...);
 * -EBUSY: another userfaultfd has it; -ENOMEM: nothing mapped, or too many mappings; -ESRCH: the memory is gone.
 */
int uffd_register(int fd, uint64_t start, uint64_t end);
int uffd_unregister(int fd, uint64_t start, uint64_t end);

/* -ENOENT: not registered; -EAGAIN: the mappings are changing, try again; -ESRCH: the memory is gone. */
int uffd_protect(int fd, uint64_t start, uint64_t end);

/* Lifts the protection, and wakes who waits for it. Errors as uffd_protect. */
int uffd_unprotect(int fd, uint64_t start, uint64_t end);

#endif
