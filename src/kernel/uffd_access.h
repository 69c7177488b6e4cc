/* SPDX-License-Identifier: MIT */
/* Does userfaultfd's protection against access (Linux 7.3) work here? */
#ifndef KERNEL_UFFD_ACCESS_H
#define KERNEL_UFFD_ACCESS_H

/*
 * The positive control: a page of our own is protected and seen so, then read, and written by a system call, and seen
 * accessed after each. 1 it works; 0 what `*failed` says is not reported as it should be, or, with NULL there, this
 * kernel has not got it (or the fault no-uffd-rwp is forced); -EPERM userfaultfd(2) is refused; -errno.
 */
int uffd_access_probe(const char **failed);

#endif
