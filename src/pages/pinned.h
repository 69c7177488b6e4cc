/* SPDX-License-Identifier: MIT */
/*
 * Is a page held by somebody who does not map it: pinned for a device, or referenced by an unpinned direct access?
 *
 * A page that a device may write was pinned by FOLL_PIN (Documentation/core-api/pin_user_pages.rst): that adds 1,024 to
 * the reference count of a single page, so that more than a thousand mappings would look the same, did one not take
 * them off; large folios count their pins apart. Older users take a plain reference (FOLL_GET), as does much else.
 */
#ifndef PAGES_PINNED_H
#define PAGES_PINNED_H

#include "pages/walker.h"

enum pinned_answer {
	PINNED_NO = 0,
	PINNED_REFERENCED, /* references that neither mappings nor caches explain */
	PINNED_YES,        /* or present, and it cannot be told */
	PINNED_UNKNOWN,    /* not present */
};

/*
 * One answer (enum pinned_answer) for each of `nr` page addresses, ascending. True for a holder who was there before
 * the call and still is after it. Errors: those of walker_sample.
 */
int pinned_look(struct walker *walker, const uint64_t *addresses, size_t nr, uint8_t *answers, struct tide_error *err);

/* Can this kernel tell references of large folios from mappings? */
bool pinned_knows_large(const struct walker *walker);

/*
 * The bit in walker_mm_flags that says that some page was pinned through this mm at some time; 0 when it could not be
 * found. Found once for the process, by pinning a page of a child made for it: for other targets than this process.
 */
uint64_t pinned_flag(struct walker *walker);

/* As pinned_look for one sample asked for by walker_ask_counts; negative: look again, it was in transit. */
int pinned_judge(const struct walker_sample *sample, const struct walker_facts *facts);

#endif
