/* SPDX-License-Identifier: MIT */
/*
 * A growing array. Declare one with `VEC(struct thing) things = {0};`, use things.items[i] and things.nr,
 * release with vec_free(&things). vec_reserve() is the only place that can fail (-ENOMEM; the array stays as it was).
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <stddef.h>

#define VEC(type)                                                                                                      \
	struct {                                                                                                       \
		type *items;                                                                                           \
		size_t nr;                                                                                             \
		size_t capacity;                                                                                       \
	}

int vec_grow(void **items, size_t *capacity, size_t wanted, size_t item_size);

/* Makes room for `wanted` items in all. 0 or -ENOMEM. */
#define vec_reserve(vec, wanted) vec_grow((void **)&(vec)->items, &(vec)->capacity, (wanted), sizeof((vec)->items[0]))

/* Appends `item`. 0 or -ENOMEM. */
#define vec_push(vec, item)                                                                                            \
	(vec_reserve((vec), (vec)->nr + 1) < 0 ? -12 /* ENOMEM */ : ((vec)->items[(vec)->nr++] = (item), 0))

#define vec_free(vec)                                                                                                  \
	do {                                                                                                           \
		free((vec)->items);                                                                                    \
		(vec)->items = NULL;                                                                                   \
		(vec)->nr = (vec)->capacity = 0;                                                                       \
	} while (0)

#endif
