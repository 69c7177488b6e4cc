/* SPDX-License-Identifier: MIT */
/* This file makes the ioctls of userfaultfd. */
#include "kernel/uffd.h"

#include <errno.h>
#include <linux/ioctl.h>
#include <linux/userfaultfd.h>

#include "kernel/sys.h"

int uffd_api(int fd, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int result = sys_ioctl(fd, UFFDIO_API, &api);

	if (result < 0)
		return result;
	return (api.features & features) == features ? 0 : -EINVAL;
}

int uffd_register(int fd, uint64_t start, uint64_t end)
{
	struct uffdio_register range = {
		.range = { .start = start, .len = end - start },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	return sys_ioctl(fd, UFFDIO_REGISTER, &range);
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
