/* SPDX-License-Identifier: MIT */
/* This file passes memory through pipes by reference. */
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mutator.h"

/* While a pipe holds pages of ours, we write to them; what comes out goes to other pages of ours. */
static void through_a_pipe(struct mutator *m)
{
	struct iovec from, to;
	int ends[2];
	size_t size;

	must(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
	from.iov_base = pick(m, AREA_PRIVATE, 8 * PAGE, PAGE, &size);
	from.iov_len = size;
	must(vmsplice(ends[1], &from, 1, 0) == (ssize_t)size, "vmsplice to a pipe");
	touch(m, from.iov_base, size);
	to.iov_base = pick(m, AREA_PRIVATE, PAGE, 8, &size);
	to.iov_len = size;
	must(vmsplice(ends[0], &to, 1, 0) > 0, "vmsplice from a pipe");
	close(ends[0]);
	close(ends[1]);
}

static const struct op OPS[] = {
	{ .name = "vmsplice", .flags = OP_SHORT_PINS, .run = through_a_pipe },
	{ 0 },
};

const struct family family_splice = { .name = "splice", .ops = OPS };
