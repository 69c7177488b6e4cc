/* SPDX-License-Identifier: MIT */
/* Which capabilities this thread has in effect (capabilities(7)). */
#ifndef KERNEL_CAPS_H
#define KERNEL_CAPS_H

#include <stdbool.h>

/* Numbers of linux/capability.h. */
enum caps {
	CAPS_SYS_PTRACE = 19,
	CAPS_SYS_ADMIN = 21,
	CAPS_SYS_NICE = 23,
	CAPS_PERFMON = 38,
	CAPS_BPF = 39,
};

/* 1 in effect, 0 not, -errno could not be asked. */
int caps_ask(enum caps cap);

/* False also when it could not be asked. */
bool caps_have(enum caps cap);

#endif
