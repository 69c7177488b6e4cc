/* SPDX-License-Identifier: MIT */
/* This file is a 32-bit program without a C library that writes its memory, and every other page of it when told. */
#include "kinds32.h"

struct mmap_arg {
	unsigned long start, bytes, prot, flags, fd, offset;
};

static long call(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

static void touch(unsigned long step)
{
	for (unsigned long addr = KINDS32_START; addr < KINDS32_END; addr += step)
		*(volatile char *)addr = 1;
}

void _start(void);
void _start(void)
{
	/* Readable and writable; private, fixed, anonymous. */
	struct mmap_arg arg = { KINDS32_START, KINDS32_END - KINDS32_START, 3, 0x32, (unsigned long)-1, 0 };
	char byte = 'x';

	if (call(90 /* mmap */, (long)&arg, 0, 0) != (long)KINDS32_START)
		call(1 /* exit */, 1, 0, 0);
	call(219 /* madvise */, (long)arg.start, (long)arg.bytes, 15 /* MADV_NOHUGEPAGE */);
	touch(KINDS32_PAGE);
	for (;;) {
		call(4 /* write */, KINDS32_OUT, (long)&byte, 1);
		if (call(3 /* read */, KINDS32_IN, (long)&byte, 1) != 1)
			call(1, 1, 0, 0);
		touch(2 * KINDS32_PAGE);
	}
}
