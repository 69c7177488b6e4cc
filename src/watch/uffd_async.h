/* SPDX-License-Identifier: MIT */
/* The state of watch_uffd_async, for those that track with it beside another way. */
#ifndef WATCH_UFFD_ASYNC_H
#define WATCH_UFFD_ASYNC_H

struct uffd_async {
	int uffd;
	int pagemap;
};

#endif
