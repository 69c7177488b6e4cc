/* SPDX-License-Identifier: MIT */
/* The rules that let the kernel choose, by name. */
#ifndef MODEL_FOLLOW_H
#define MODEL_FOLLOW_H

#include "model/model.h"

#define MODEL_RULES(X)                                                                                                 \
	X(SMALL, "huge-refused", "a huge page is not to be had, or was split")                                         \
	X(HUGE, "huge-made", "a huge page is made where the mapping takes one")                                        \
	X(RECLAIMED, "reclaimed", "a page goes to swap")                                                               \
	X(SWAPPED_IN, "swapped-in", "a page comes back from swap before it is used")                                   \
	X(LAZY, "lazily-freed", "a page that was given up by MADV_FREE is thrown away")                                \
	X(FILE_DROPPED, "file-dropped", "a page of a file is unmapped")                                                \
	X(ZEROS, "zeros-mapped", "a page of a huge one that holds zeros only becomes the zero page as that is split")  \
	X(MARKED_TOO, "marked-too",                                                                                    \
	  "pages are marked that were not written: dirty ones that move, or a large one's together")                   \
	X(MARK, "mark-of-mapping", "of mappings that merged one was marked, and that is lost or kept")                 \
	X(FILE_AROUND, "file-around", "pages of a file are mapped around one that is used")

enum {
#define X(name, lower, text) RULE_##name,
	MODEL_RULES(X)
#undef X
	        MODEL_NR_RULES,
};

#endif
