/* SPDX-License-Identifier: MIT */
/* This file holds the words for reading and writing. */
#include "access.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const char *const names[] = { [ACCESS_READ] = "read", [ACCESS_WRITE] = "write", [ACCESS_BOTH] = "both" };

const char *access_name(enum access access)
{
	return names[access];
}

int access_by_name(const char *name)
{
	for (int access = ACCESS_READ; name && access <= ACCESS_BOTH; access++) {
		if (strcmp(names[access], name) == 0)
			return access;
	}
	return -EINVAL;
}
