/* SPDX-License-Identifier: MIT */
/* This file is a 32-bit program without a C library: it touches a few pages every millisecond, for half a minute. */
static char page[65536];

struct pause {
	int seconds;
	int nanoseconds;
};

static int call(int number, long a, long b)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b) : "memory");
	return result;
}

void _start(void);
void _start(void)
{
	struct pause pause = { .nanoseconds = 1000000 };

	for (int round = 0; round < 30000; round++) {
		for (unsigned i = 0; i < sizeof(page); i += 4096)
			((volatile char *)page)[i]++;
		call(162, (long)&pause, 0); /* nanosleep */
	}
	call(1, 0, 0); /* exit */
}
