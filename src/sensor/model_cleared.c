/* SPDX-License-Identifier: MIT */
/* This file keeps which pages were cleared: chains by group. */
#include "sensor/model_cleared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NR_HEADS (1u << 19)

void cleared_fini(struct cleared *cleared)
{
	free(cleared->heads);
	cleared->heads = NULL;
	vec_free(&cleared->pages);
}

static uint32_t *head_of(const struct cleared *cleared, uint64_t group)
{
	return &cleared->heads[group * 0x9e3779b97f4a7c15u >> 45];
}

static struct cleared_page *page_of(const struct cleared *cleared, uint32_t number)
{
	return number > 0 ? &cleared->pages.items[number - 1] : NULL;
}

const struct cleared_page *cleared_first(const struct cleared *cleared, uint64_t group)
{
	return cleared->heads != NULL ? page_of(cleared, *head_of(cleared, group)) : NULL;
}

const struct cleared_page *cleared_next(const struct cleared *cleared, const struct cleared_page *page)
{
	return page_of(cleared, page->next);
}

struct cleared_page *cleared_find(const struct cleared *cleared, uint64_t group, uint64_t addr)
{
	struct cleared_page *page = cleared->heads != NULL ? page_of(cleared, *head_of(cleared, group)) : NULL;

	while (page != NULL && page->addr != addr)
		page = page_of(cleared, page->next);
	return page;
}

static int make_room(struct cleared *cleared)
{
	if (cleared->heads == NULL) {
		cleared->heads = calloc(NR_HEADS, sizeof(cleared->heads[0]));
		return cleared->heads != NULL ? 0 : -ENOMEM;
	}
	if (cleared->pages.nr < CLEARED_MAX)
		return 0;
	memset(cleared->heads, 0, NR_HEADS * sizeof(cleared->heads[0]));
	cleared->pages.nr = 0;
	return 0;
}

int cleared_note(struct cleared *cleared, uint64_t group, uint64_t addr, uint64_t now_ns)
{
	struct cleared_page *page = cleared_find(cleared, group, addr);
	struct cleared_page fresh = { .addr = addr, .at_ns = now_ns };
	uint32_t *head;

	if (page != NULL) {
		page->at_ns = now_ns;
		return 0;
	}
	if (make_room(cleared) < 0)
		return -ENOMEM;
	head = head_of(cleared, group);
	fresh.next = *head;
	if (vec_push(&cleared->pages, fresh) < 0)
		return -ENOMEM;
	*head = (uint32_t)cleared->pages.nr;
	return 0;
}
