/* SPDX-License-Identifier: MIT */
/* This file clears accessed bits with process_madvise(2). */
#include "sensor/cold.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "kernel/sys.h"

#define MAX_BATCH 64u
#define SLOW_NS   500000u /* half of what the target may be kept waiting */
#define FAST_NS   200000u

/* How many whole ranges of the batch `bytes` of progress cover. */
static size_t covered(const struct iovec *vec, size_t nr, size_t bytes)
{
	size_t done = 0;

	while (done < nr && bytes >= vec[done].iov_len)
		bytes -= vec[done++].iov_len;
	return done;
}

static void adapt(struct cold *cold, size_t nr, uint64_t took_ns)
{
	cold->nr_calls++;
	if (took_ns > cold->longest_ns)
		cold->longest_ns = took_ns;
	if (took_ns > SLOW_NS && cold->batch > 8)
		cold->batch /= 2;
	else if (took_ns < FAST_NS && nr == cold->batch && cold->batch < MAX_BATCH)
		cold->batch *= 2;
}

int cold_clear(struct cold *cold, int pidfd, const struct tide_range *ranges, size_t nr, bool *failed,
               struct tide_error *err)
{
	struct iovec vec[MAX_BATCH];
	size_t done = 0;

	memset(failed, 0, nr * sizeof(failed[0]));
	if (cold->batch == 0)
		cold->batch = MAX_BATCH;
	while (done < nr) {
		size_t n = nr - done < cold->batch ? nr - done : cold->batch;
		size_t advanced;
		uint64_t began_ns = sys_clock_ns(CLOCK_MONOTONIC);
		ssize_t result;

		for (size_t i = 0; i < n; i++)
			vec[i] = (struct iovec){ (void *)(uintptr_t)ranges[done + i].start,
				                 ranges[done + i].end - ranges[done + i].start };
		result = sys_process_madvise(pidfd, vec, n, MADV_COLD);
		adapt(cold, n, sys_clock_ns(CLOCK_MONOTONIC) - began_ns);
		if (result == -EPERM)
			return error_set(err, TIDE_CAUSE_DENIED, -EPERM,
			                 "clearing accessed bits in another process needs CAP_SYS_NICE and the right "
			                 "to trace it: run as root");
		if (result == -ENOSYS)
			return error_set(err, TIDE_CAUSE_UNSUPPORTED, -ENOSYS,
			                 "this kernel has no process_madvise(MADV_COLD) (Linux 5.10 has)");
		if (result == -EINTR)
			continue;
		advanced = result < 0 ? 0 : covered(vec, n, (size_t)result);
		done += advanced;
		/* A short count means that the next one was refused, perhaps half done. */
		if (advanced < n)
			failed[done++] = true;
	}
	return 0;
}
