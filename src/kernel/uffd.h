/* SPDX-License-Identifier: MIT */
/*
 * userfaultfd(2): write protection, and protection against any access (Documentation/admin-guide/mm/userfaultfd.rst). A
 * descriptor belongs to the memory of the process that made it, also when another process holds it. All calls: 0 or
 * -errno.
 */
#ifndef KERNEL_UFFD_H
#define KERNEL_UFFD_H

#include <stddef.h>
#include <stdint.h>

/* The bits of the handshake, as Debian 12's headers do not have all of them yet. */
enum {
	UFFD_MOVES = 1 << 2,    /* messages after mremap has moved memory, which keeps its registration: the same */
	UFFD_REMOVALS = 1 << 3, /* messages before memory is given up (madvise): who does it waits until that is read */
	UFFD_UNMAPS = 1 << 6,   /* messages after memory was unmapped: the same */
	UFFD_WP_SHMEM = 1 << 12, /* shared memory, and hugetlb's */
	UFFD_WP_UNPOPULATED = 1 << 13,
	UFFD_WP_ASYNC = 1 << 15,
	UFFD_RWP = 1 << 17, /* Linux 7.3 */
	UFFD_RWP_ASYNC = 1 << 18,
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

/* Who waits in [start, end) looks again. */
int uffd_wake(int fd, uint64_t start, uint64_t end);

/* Is the private anonymous mapping that holds `page` registered with a userfaultfd? 1, 0; -EAGAIN, as uffd_protect. */
int uffd_is_registered(int fd, uint64_t page);

/* What a descriptor without asynchronous protection tells; its own layout is the kernel's. */
struct uffd_message {
	uint64_t words[4];
};

enum uffd_kind {
	UFFD_NOTHING, /* all zero */
	UFFD_WRITE,   /* somebody waits to write the page at *start */
	UFFD_REMOVAL, /* [*start, *end) is going to be given up, now that this has been read */
	UFFD_MOVE,    /* [*start, *end) has moved to *to */
	UFFD_UNMAP,   /* [*start, *end) is not mapped any more */
	UFFD_OTHER,
};

/* At most `nr` messages, which have to be all zero: who dies after it leaves as many that are not. Their number, or
 * -EAGAIN: there are none. */
long uffd_read(int fd, struct uffd_message *messages, size_t nr);
enum uffd_kind uffd_decode(const struct uffd_message *message, uint64_t *start, uint64_t *end, uint64_t *to);

/*
 * A userfaultfd for whoever makes this call, whose privileges do not matter (/dev/userfaultfd, Linux 6.1): `device` is
 * a descriptor of that. The descriptor, close-on-exec and non-blocking, or -errno.
 */
#define UFFD_DEVICE "/dev/userfaultfd"
#define UFFD_NEW    0xaa00u /* USERFAULTFD_IOC_NEW; its argument: flags of open(2) */

/*
 * The same for protection against any access (features UFFD_RWP and UFFD_RWP_ASYNC: the first access lifts it by
 * itself). -EINVAL, -EPERM: a mapping in the range cannot be: a file's that is not shared memory's, one that forbids
 * all access, VM_SPECIAL, a hole.
 */
int uffd_register_access(int fd, uint64_t start, uint64_t end);

/*
 * Takes hold of what is there, page by page: pages, swapped pages, huge pages of the process's own that lie wholly in
 * the range. A huge page that does not is split, and one of shared memory unmapped. What is not there stays so, and
 * makes no page tables. -ENOENT: part of it is not registered, and nothing was done; -EINVAL: part of a hugetlb page.
 */
int uffd_protect_access(int fd, uint64_t start, uint64_t end);

#endif
