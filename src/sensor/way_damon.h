/* SPDX-License-Identifier: MIT */
/*
 * Forgetting accesses by the kernel's DAMON (way "damon"; why so, and what it costs:
 * docs/design/008-clearing-by-damon.md).
 *
 * Whose bits. The target's own page tables alone are cleared: nobody else's accessed bits change, shared and locked
 * memory included, and secondary page tables (virtual machines) are asked and cleared too. No folio moves on its LRU
 * list or is split. The TLB is not flushed: an access through an entry that is still there sets no bit.
 *
 * What it leaves. A folio that was cleared carries PG_young and PG_idle afterwards, whatever it carried before; the
 * second witness (witness.h) reads PG_young as an access, so it must not be asked about a page that this way cleared
 * unless it is told so. Of clearing by others since, these two witness: reclaim takes PG_idle or PG_young away,
 * clear_refs and MADV_COLD take PG_young. Another DAMON would leave no trace; while this one is claimed there is none
 * that is set up through sysfs.
 *
 * What it does not clear: a large folio that is mapped by single entries, but for the first of them in each range;
 * pages that are on no LRU list (the last few fresh ones, hugetlb, device memory, the vDSO). They stay young, so a scan
 * after way_damon_clear shows them, together with what was accessed since: whoever needs them old takes another way
 * for those runs.
 *
 * How long. A clear is synchronous: when it returns, everything in the ranges was tried once and DAMON is at rest.
 * It takes 3 sampling intervals of DAMON of 1 ms each, and in between some tens of nanoseconds a mapped page. It cannot
 * be told to take less, and cannot be interrupted; but it keeps nobody waiting for that long: the target's mmap lock is
 * held in read mode, for one range of at most WAY_DAMON_HOLD_BYTES of addresses at a time, so that is what counts
 * against max_stall. What is accessed while it runs may be forgotten, or not; the pass is blind from its look at a page
 * to the clear's return.
 *
 * When. Root; DAMON not in use by anybody, which includes the modules damon_stat (on by default in some kernels),
 * damon_reclaim and damon_lru_sort: the kernel does not run them beside others.
 */
#ifndef SENSOR_WAY_DAMON_H
#define SENSOR_WAY_DAMON_H

#include <stddef.h>
#include <stdint.h>

#include <tidemark/target.h>

/* At most so many bytes of addresses under one hold of the mmap lock: 4,096 entries. */
#define WAY_DAMON_HOLD_BYTES (UINT64_C(16) << 20)

struct way_damon;

struct way_damon_cost {
	uint64_t nr_clears;
	uint64_t nr_holds;      /* of the mmap lock in read mode, each for WAY_DAMON_HOLD_BYTES at most */
	uint64_t cleared_bytes; /* of pages, by folios, that were young */
	uint64_t longest_ns;    /* one clear */
	uint64_t took_ns; /* all of them: the target was not kept waiting, but what it accessed may be forgotten */
};

/*
 * Does it work here? Shown by pages of our own: used, seen young, cleared, seen old, used, seen young. 1; 0, `why` says
 * what stands in the way; negative, it could not be asked. What the control showed is remembered, who uses DAMON now is
 * asked anew each time. Claims DAMON for some milliseconds, and only while nobody uses it; gives back what a dead
 * tidemark had claimed. Not for two threads at the same time.
 */
int way_damon_probe(struct tide_error *why);

/*
 * Claims DAMON for a target, which outlives it; nothing is cleared yet. Errors: BUSY somebody uses DAMON; DENIED,
 * UNSUPPORTED; GONE; SYSTEM. On failure DAMON is as it was.
 */
int way_damon_open(struct way_damon **out, struct tide_target *target, struct tide_error *err);

/*
 * Makes the pages of `ranges` (ascending, disjoint) old; what lies between ranges less than WAY_DAMON_HOLD_BYTES apart
 * may be cleared too. Errors: GONE; BUSY a module took DAMON, or somebody the claim; SYSTEM. After an error some of it
 * may be cleared.
 */
int way_damon_clear(struct way_damon *way, const struct tide_range *ranges, size_t nr, struct tide_error *err);

const struct way_damon_cost *way_damon_cost(const struct way_damon *way);

/* Gives DAMON back as it was: no kdamond. Accepts NULL. */
void way_damon_close(struct way_damon *way);

#endif
