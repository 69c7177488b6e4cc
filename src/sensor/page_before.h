/* SPDX-License-Identifier: MIT */
/* How preparing left a page behind, for the sensors that stand on userfaultfd: free of system calls. */
#ifndef SENSOR_PAGE_BEFORE_H
#define SENSOR_PAGE_BEFORE_H

#include <stdbool.h>

#include <tidemark/sensor.h>

/* In this order: up to ABSENT_SEEN there was no page. */
enum page_standing {
	PAGE_UNMAPPED = 0,
	PAGE_ABSENT,      /* a mapping, but no page */
	PAGE_ABSENT_SEEN, /* ... where what appears was accessed: nothing maps pages around a neighbour's fault */
	PAGE_SEALED,      /* a mapping that nobody can write, whatever is there */
	PAGE_ARMED,       /* protected: the first access of the kind that is watched lifts it */
	PAGE_STUCK,       /* a page that cannot be protected: `reason` says why */
};

struct page_before {
	enum page_standing page;
	enum tide_reason reason;
	uint8_t shift; /* ARMED: of the (huge) page that was protected */
	bool is_file;
};

/* It is carried in tide_check.state from prepare to check. */
void page_before_pack(const struct page_before *before, struct tide_check *check);
void page_before_unpack(struct page_before *before, const struct tide_check *check);

static inline void page_before_stick(struct page_before *before, enum tide_reason reason)
{
	before->page = PAGE_STUCK;
	before->reason = reason;
}

#endif
