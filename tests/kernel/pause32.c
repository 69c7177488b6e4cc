/* SPDX-License-Identifier: MIT */
/* This file is a 32-bit program that writes a byte to descriptor 1 and waits to be killed. */
void _start(void);

static long call(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

void _start(void)
{
	call(4 /* write */, 1, (long)"x", 1);
	for (;;)
		call(29 /* pause */, 0, 0, 0);
}
