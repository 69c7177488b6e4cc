/* SPDX-License-Identifier: MIT */
/* This file makes the ioctls of userfaultfd. */
#include "kernel/uffd.h"

#include <errno.h>
#include <linux/ioctl.h>
#include <linux/userfaultfd.h>
#include <string.h>

#include "kernel/sys.h"

/* struct uffdio_rwprotect of include/uapi/linux/userfaultfd.h, which older headers do not have yet. */
struct access_protect {
	struct uffdio_range range;
	uint64_t mode;
};

_Static_assert(sizeof(struct access_protect) == 24, "the kernel's layout");

enum {
	MODE_REGISTER_ACCESS = 1 << 3, /* UFFDIO_REGISTER_MODE_RWP */
	MODE_PROTECT_ACCESS = 1 << 0,  /* UFFDIO_RWPROTECT_MODE_RWP */
};

#define PROTECT_ACCESS _IOWR(UFFDIO, 0x09, struct access_protect)

int uffd_api(int fd, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int result = sys_ioctl(fd, UFFDIO_API, &api);

	if (result < 0)
		return result;
	return (api.features & features) == features ? 0 : -EINVAL;
}

static int enlist(int fd, uint64_t start, uint64_t end, uint64_t mode)
{
	struct uffdio_register range = { .range = { .start = start, .len = end - start }, .mode = mode };

	return sys_ioctl(fd, UFFDIO_REGISTER, &range);
}

int uffd_register(int fd, uint64_t start, uint64_t end)
{
	return enlist(fd, start, end, UFFDIO_REGISTER_MODE_WP);
}

int uffd_register_access(int fd, uint64_t start, uint64_t end)
{
	return enlist(fd, start, end, MODE_REGISTER_ACCESS);
}

int uffd_unregister(int fd, uint64_t start, uint64_t end)
{
	struct uffdio_range range = { .start = start, .len = end - start };

	return sys_ioctl(fd, UFFDIO_UNREGISTER, &range);
}

static int protect(int fd, uint64_t start, uint64_t end, uint64_t mode)
{
	struct uffdio_writeprotect range = { .range = { .start = start, .len = end - start }, .mode = mode };

	return sys_ioctl(fd, UFFDIO_WRITEPROTECT, &range);
}

int uffd_protect(int fd, uint64_t start, uint64_t end)
{
	return protect(fd, start, end, UFFDIO_WRITEPROTECT_MODE_WP);
}

int uffd_unprotect(int fd, uint64_t start, uint64_t end)
{
	return protect(fd, start, end, 0);
}

int uffd_wake(int fd, uint64_t start, uint64_t end)
{
	struct uffdio_range range = { .start = start, .len = end - start };

	return sys_ioctl(fd, UFFDIO_WAKE, &range);
}

/*
 * The kernel first asks for a registered mapping, and then what can be continued there: nothing, in anonymous memory.
 * Neither way is anything changed.
 */
int uffd_is_registered(int fd, uint64_t page)
{
	struct uffdio_continue nothing = {
		.range = { .start = page, .len = 4096 },
		.mode = UFFDIO_CONTINUE_MODE_DONTWAKE,
	};
	int result = sys_ioctl(fd, UFFDIO_CONTINUE, &nothing);

	return result == -EINVAL || result == -EEXIST ? 1 : result == -ENOENT ? 0 : result < 0 ? result : -EIO;
}

_Static_assert(sizeof(struct uffd_msg) == sizeof(struct uffd_message), "the kernel's layout");

long uffd_read(int fd, struct uffd_message *messages, size_t nr)
{
	ssize_t size = sys_read(fd, messages, nr * sizeof(messages[0]));

	return size < 0 ? size : size / (ssize_t)sizeof(messages[0]);
}

enum uffd_kind uffd_decode(const struct uffd_message *message, uint64_t *start, uint64_t *end, uint64_t *to)
{
	struct uffd_msg msg;

	memcpy(&msg, message, sizeof(msg));
	switch (msg.event) {
	case 0:
		return UFFD_NOTHING;
	case UFFD_EVENT_PAGEFAULT:
		*start = msg.arg.pagefault.address & ~(uint64_t)4095;
		*end = *start + 4096;
		return UFFD_WRITE;
	case UFFD_EVENT_REMOVE:
	case UFFD_EVENT_UNMAP:
		*start = msg.arg.remove.start;
		*end = msg.arg.remove.end;
		return msg.event == UFFD_EVENT_UNMAP ? UFFD_UNMAP : UFFD_REMOVAL;
	case UFFD_EVENT_REMAP:
		*start = msg.arg.remap.from;
		*end = msg.arg.remap.from + msg.arg.remap.len;
		*to = msg.arg.remap.to;
		return UFFD_MOVE;
	default:
		return UFFD_OTHER;
	}
}

int uffd_protect_access(int fd, uint64_t start, uint64_t end)
{
	struct access_protect range = { .range = { .start = start, .len = end - start }, .mode = MODE_PROTECT_ACCESS };

	return sys_ioctl(fd, PROTECT_ACCESS, &range);
}
