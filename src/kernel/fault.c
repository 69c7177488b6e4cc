/* SPDX-License-Identifier: MIT */
/* This file reads the list of forced faults. */
#include "kernel/fault.h"

#include <stdlib.h>
#include <string.h>

bool fault_forced(const char *name)
{
	const char *list = secure_getenv("TIDEMARK_FAULT");
	size_t size = strlen(name);

	while (list != NULL && *list != 0) {
		size_t word = strcspn(list, ",");

		if (word == size && memcmp(list, name, size) == 0)
			return true;
		list += word;
		list += *list == ',';
	}
	return false;
}
