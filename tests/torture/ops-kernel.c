/* SPDX-License-Identifier: MIT */
/* This file lets system calls of the process itself write to its memory. */
#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mutator.h"

enum {
	MOST = 64 << 10,
};

static void read_into(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, MOST, 8, &size);

	scribble(m, m->bounce, size);
	must(pwrite(m->source, m->bounce, size, 0) == (ssize_t)size, "pwrite");
	must(pread(m->source, at, size, 0) == (ssize_t)size, "pread");
}

static void readv_into(struct mutator *m)
{
	struct iovec parts[4];
	size_t whole = 0;

	for (int i = 0; i < 4; i++) {
		parts[i].iov_base = pick(m, AREA_PRIVATE, MOST / 4, 8, &parts[i].iov_len);
		whole += parts[i].iov_len;
	}
	scribble(m, m->bounce, whole);
	must(pwrite(m->source, m->bounce, whole, 0) == (ssize_t)whole, "pwrite");
	must(preadv(m->source, parts, 4, 0) == (ssize_t)whole, "preadv");
}

static void getrandom_into(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, PAGE, 8, &size);

	must(getrandom(at, size, 0) == (ssize_t)size, "getrandom");
}

static void receive(struct mutator *m)
{
	int ends[2];
	size_t size;
	char *at = pick(m, AREA_PRIVATE, 2 * PAGE, 8, &size);

	scribble(m, m->bounce, size);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
	must(send(ends[0], m->bounce, size, 0) == (ssize_t)size, "send");
	must(recv(ends[1], at, size, MSG_WAITALL) == (ssize_t)size, "recv");
	close(ends[0]);
	close(ends[1]);
}

static void read_direct(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, MOST, PAGE, &size);

	scribble(m, m->bounce, size);
	must(pwrite(m->direct, m->bounce, size, 0) == (ssize_t)size, "pwrite with O_DIRECT");
	must(pread(m->direct, at, size, 0) == (ssize_t)size, "pread with O_DIRECT");
}

static const char *no_direct(struct mutator *m)
{
	return m->direct < 0 ? "no O_DIRECT on the file system of TMPDIR" : NULL;
}

static const struct op OPS[] = {
	{ .name = "read", .run = read_into },
	{ .name = "readv", .run = readv_into },
	{ .name = "getrandom", .run = getrandom_into },
	{ .name = "recv", .run = receive },
	{ 0 },
};

static const struct op DIRECT_OPS[] = {
	{ .name = "read-direct", .flags = OP_SHORT_PINS, .run = read_direct, .lacks = no_direct },
	{ 0 },
};

const struct family family_kernel = { .name = "kernel", .ops = OPS };
const struct family family_direct = { .name = "direct", .ops = DIRECT_OPS };
