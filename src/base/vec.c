/* SPDX-License-Identifier: MIT */
/* This file grows arrays. */
#include "base/vec.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

_Static_assert(ENOMEM == 12, "vec_push writes the number out");

int vec_grow(void **items, size_t *capacity, size_t wanted, size_t item_size)
{
	size_t room = *capacity ? *capacity : 16;
	void *grown;

	if (wanted <= *capacity)
		return 0;
	/* Half, as doubling may come to twice of what is wanted. */
	if (wanted > SIZE_MAX / 2 / item_size)
		return -ENOMEM;
	while (room < wanted)
		room *= 2;
	grown = realloc(*items, room * item_size);
	if (grown == NULL)
		return -ENOMEM;
	*items = grown;
	*capacity = room;
	return 0;
}
