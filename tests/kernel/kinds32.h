/* SPDX-License-Identifier: MIT */
/* Where the 32-bit program has its memory. */
#ifndef TESTS_KERNEL_KINDS32_H
#define TESTS_KERNEL_KINDS32_H

#define KINDS32_PAGE  4096u
#define KINDS32_START 0x20000000u
#define KINDS32_END   0x20400000u
#define KINDS32_IN    3 /* descriptors of what it is told and says */
#define KINDS32_OUT   4

#endif
