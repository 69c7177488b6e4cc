/* SPDX-License-Identifier: MIT */
/* Where we run. */
#ifndef VERIFY_PLACE_H
#define VERIFY_PLACE_H

#include <stdbool.h>

/* 1 in a namespace other than the system's first, 0 in the first, -errno. */
int place_in_user_namespace(void);

/* 1 a seccomp filter is in force, 0 none, -errno. */
int place_is_filtered(void);

/* A virtual machine of the tests, all of which is theirs? */
bool place_is_guest(void);

#define PLACE_USER_NAMESPACE_REMEDY                                                                                    \
	"BPF, physical addresses and clearing need capabilities of the system's own user namespace: run as the "       \
	"host's root, in a container that is not rootless and does not remap users"

#define PLACE_SECCOMP_REMEDY                                                                                           \
	"a seccomp filter may refuse bpf(2), process_madvise(2) and pidfd_open(2) in spite of capabilities: in a "     \
	"container, --security-opt seccomp=unconfined"

#endif
