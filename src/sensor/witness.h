/* SPDX-License-Identifier: MIT */
/*
 * What two looks at a page-table entry, and at the flags of the folio behind it, prove: the walk sensor's judgement,
 * free of system calls. "Cleared" below means by us, between the two looks.
 */
#ifndef SENSOR_WITNESS_H
#define SENSOR_WITNESS_H

#include <tidemark/sensor.h>

#include "bpf/walker.h"

/* Why no way clears accessed bits in a mapping with these vm_flags; NONE: some does. */
enum tide_reason witness_of_mapping(uint64_t vm_flags);

/* What the first look, and the clearing after it, left behind. */
enum witness_before {
	WITNESS_UNMAPPED = 0, /* no VMA */
	WITNESS_ABSENT,       /* a VMA, but no page */
	WITNESS_OLD,          /* a page whose accessed bit was clear already */
	WITNESS_CLEARED,      /* a page whose accessed bit we cleared */
	WITNESS_STUCK,        /* a page whose accessed bit is set and stays so: `reason` says why */
};

struct witness {
	enum witness_before before;
	enum tide_reason reason;
	uint8_t shift;           /* of the entry at the first look */
	uint16_t nr_alarms;      /* of the canaries, at the first look */
	uint32_t page;           /* the lower bits of its frame number at the first look; 0: not known */
	bool writable;           /* at the first look */
	uint64_t folio_flags;    /* at the first look */
	uint64_t instead;        /* WITNESS_ABSENT: of the entry at the first look */
	struct tide_range clear; /* what to clear to forget accesses: the whole folio; empty: nothing to do */
	bool follows;            /* the address before `clear` lies in the same mapping */
	uint64_t keeps;          /* of folio_flags: gone only if somebody else cleared the accessed bit */
	uint64_t unknown;        /* flags that may have been there at the first look, or not: they prove no access */
	bool verify;             /* `clear` is mapped by single entries: every one of its pages must be in its place */
};

/* Judges the first look. With `clear` not empty the caller clears it, then calls witness_cleared or witness_stuck. */
void witness_first(struct witness *witness, const struct walker_sample *sample, const struct walker_facts *facts);
void witness_cleared(struct witness *witness, const struct walker_facts *facts);
/* Cleared by the kernel's DAMON, which leaves PG_young; what else the folio carried then is not known. */
void witness_cleared_by_damon(struct witness *witness, const struct walker_facts *facts);
void witness_stuck(struct witness *witness, enum tide_reason reason);

/* Is this page the `n`th of the folio that begins at the same place as `sample`'s? */
bool witness_in_place(const struct walker_sample *sample, const struct walker_facts *facts, uint64_t folio_pfn,
                      uint64_t n);

/* Judges the second look: fills in page_start, page_end, answer and reason. */
void witness_second(const struct witness *witness, const struct walker_sample *sample, const struct walker_facts *facts,
                    bool has_notifiers, struct tide_check *check);

/* Must the second look tell the folio of a page also when it is young? */
bool witness_wants_folio(const struct tide_check *check);

/* A witness is carried in tide_check.state from prepare to check. */
void witness_pack(const struct witness *witness, struct tide_check *check);
void witness_unpack(struct witness *witness, const struct tide_check *check);

#endif
