/* SPDX-License-Identifier: MIT */
/* This file names the categories of pages. */
#include <tidemark/pages.h>

#include "kernel/pagescan.h"

_Static_assert((int)TIDE_PAGE_WPALLOWED == PAGESCAN_WPALLOWED && (int)TIDE_PAGE_WRITTEN == PAGESCAN_WRITTEN,
               "categories are passed on as they are");
_Static_assert((int)TIDE_PAGE_FILE == PAGESCAN_FILE && (int)TIDE_PAGE_PRESENT == PAGESCAN_PRESENT, "the same");
_Static_assert((int)TIDE_PAGE_SWAPPED == PAGESCAN_SWAPPED && (int)TIDE_PAGE_ZERO == PAGESCAN_ZERO, "the same");
_Static_assert((int)TIDE_PAGE_HUGE == PAGESCAN_HUGE && (int)TIDE_PAGE_SOFT_DIRTY == PAGESCAN_SOFT_DIRTY, "the same");

const char *tide_page_category_name(uint64_t category)
{
	switch (category) {
#define NAME(id, bit, name, sentence)                                                                                  \
	case TIDE_PAGE_##id:                                                                                           \
		return name;
		TIDE_PAGE_CATEGORIES(NAME)
	default:
		return NULL;
	}
}

const char *tide_page_category_sentence(uint64_t category)
{
	switch (category) {
#define SENTENCE(id, bit, name, sentence)                                                                              \
	case TIDE_PAGE_##id:                                                                                           \
		return sentence;
		TIDE_PAGE_CATEGORIES(SENTENCE)
	default:
		return NULL;
	}
}
