/* SPDX-License-Identifier: MIT */
/*
 * This file judges from a folio's counts who holds it.
 *
 * References are compared with what mappings, page cache and swap cache explain, as the kernel's own
 * folio_expected_ref_count() does. One reference more is no foreign one while the folio is off the LRU lists: whoever
 * took it off, or has not put it on yet, holds it (per-CPU batches of fresh pages, reclaim, migration), and it is put
 * on the list before that reference goes. So with PG_lru clear one is expected, and a second one is somebody else's.
 * The program reads the flags before and after the counts, and PG_lru counts as set when either reading says so.
 * hugetlb pages are never on those lists, and nothing is forgiven there.
 *
 * Entries are read without the page-table lock, so a present page may look empty for a moment, while reclaim,
 * MADV_COLD or NUMA balancing exchanges its entry. pagemap takes the lock: an empty entry is believed when it agrees.
 */
#include "pages/pinned.h"

#include "base/error.h"
#include "kernel/pagemap.h"
#include "kernel/sys.h"
#include "pages/entry.h"
#include "target/target.h"

#define PIN_BIAS   1024     /* GUP_PIN_COUNTING_BIAS */
#define VM_HUGETLB 0x400000 /* the same since 2.6 */
#define TRIES      4

enum {
	AGAIN = -1,
	EMPTY = -2,
};

static bool is_swapcache(const struct walker_sample *sample, const struct walker_facts *facts)
{
	uint64_t both = facts->swapcache | facts->swapbacked;

	return facts->swapcache != 0 && (sample->folio_flags & both) == both;
}

/* References that mappings and caches do not explain. */
static int64_t unexplained(const struct walker_sample *sample, const struct walker_facts *facts)
{
	int64_t nr_pages = 1LL << sample->folio_order;
	int64_t explained = sample->mapcount;

	if (is_swapcache(sample, facts))
		explained += nr_pages;
	if (!(sample->folio_mapping & 1)) {
		explained += sample->folio_mapping != 0 ? nr_pages : 0;
		explained += (sample->folio_flags & facts->private) != 0;
	}
	return sample->refcount - explained;
}

static int judge_folio(const struct walker_sample *sample, const struct walker_facts *facts)
{
	bool is_large = sample->folio_flags & facts->head;
	bool is_off_lru = !(sample->folio_flags & facts->lru) && !(sample->vm_flags & VM_HUGETLB);

	if (is_large ? sample->pincount != 0 : (int64_t)sample->refcount - sample->mapcount >= PIN_BIAS)
		return PINNED_YES;
	if (is_large && sample->mapcount < 0)
		return PINNED_NO;
	return unexplained(sample, facts) > is_off_lru ? PINNED_REFERENCED : PINNED_NO;
}

int pinned_judge(const struct walker_sample *sample, const struct walker_facts *facts)
{
	struct page_entry entry;

	if (sample->state == WALKER_UNMAPPED)
		return PINNED_UNKNOWN;
	if (sample->state != WALKER_READ)
		return AGAIN;
	if (sample->entry == 0)
		return EMPTY;
	entry_decode(sample->entry, sample->shift, facts->address_mask, &entry);
	if (!entry.present)
		return PINNED_UNKNOWN;
	/* The kernel takes no references through these: device mappings, the zero page. */
	if (entry.special)
		return PINNED_NO;
	return sample->has_folio ? judge_folio(sample, facts) : AGAIN;
}

bool pinned_knows_large(const struct walker *walker)
{
	return walker_facts(walker)->has_large_mapcount;
}

/* What is looked at; `settled[i]` >= 0 is the answer. */
struct look {
	struct walker *walker;
	const uint64_t *addresses;
	uint32_t nr;
	int8_t settled[WALKER_MAX_SAMPLES];
};

/* Asks for all that is not settled. How many are not afterwards, or negative. */
static int ask(struct look *look, struct tide_error *err)
{
	struct walker_sample *samples = walker_samples(look->walker);
	const struct walker_facts *facts = walker_facts(look->walker);
	uint32_t nr_asked = 0;
	int nr_left = 0;
	int result;

	for (uint32_t i = 0; i < look->nr; i++)
		if (look->settled[i] < 0)
			walker_ask_counts(&samples[nr_asked++], look->addresses[i]);
	result = walker_sample(look->walker, nr_asked, err);
	if (result < 0)
		return result;
	nr_asked = 0;
	for (uint32_t i = 0; i < look->nr; i++) {
		if (look->settled[i] >= 0)
			continue;
		look->settled[i] = (int8_t)pinned_judge(&samples[nr_asked++], facts);
		nr_left += look->settled[i] < 0;
	}
	return nr_left;
}

/* Asks pagemap about what looked empty. How many are not settled afterwards, or negative. */
static int confirm_empty(struct look *look, struct tide_error *err)
{
	struct tide_target *target = walker_target(look->walker);
	struct pagemap_window window = { 0 };
	scope_sys_fd int fd = -1;
	int nr_left = 0;
	pid_t tid = 0;
	int result = target_live_thread(target, &tid, err);

	if (result < 0)
		return result;
	fd = pagemap_open(target_procfs(target), tid);
	if (fd < 0)
		return error_system(err, fd, "opening the page map of process %d", tide_target_pid(target));
	for (uint32_t i = 0; i < look->nr; i++) {
		if (look->settled[i] == EMPTY) {
			result = pagemap_is_present(fd, &window, look->addresses[i]);
			if (result < 0)
				return error_system(err, result, "reading the page map of process %d",
				                    tide_target_pid(target));
			look->settled[i] = (int8_t)(result == 0 ? PINNED_UNKNOWN : AGAIN);
		}
		nr_left += look->settled[i] < 0;
	}
	return nr_left;
}

static int look_at(struct look *look, uint8_t *answers, struct tide_error *err)
{
	int nr_left = 1;

	for (uint32_t i = 0; i < look->nr; i++)
		look->settled[i] = AGAIN;
	for (int try = 0; try < TRIES && nr_left > 0; try++) {
		nr_left = ask(look, err);
		if (nr_left > 0)
			nr_left = confirm_empty(look, err);
		if (nr_left < 0)
			return nr_left;
	}
	for (uint32_t i = 0; i < look->nr; i++)
		answers[i] = (uint8_t)(look->settled[i] < 0 ? PINNED_YES : look->settled[i]);
	return 0;
}

int pinned_look(struct walker *walker, const uint64_t *addresses, size_t nr, uint8_t *answers, struct tide_error *err)
{
	struct look look = { .walker = walker };

	for (size_t done = 0; done < nr; done += look.nr) {
		int result;

		look.addresses = addresses + done;
		look.nr = (uint32_t)(nr - done < WALKER_MAX_SAMPLES ? nr - done : WALKER_MAX_SAMPLES);
		result = look_at(&look, answers + done, err);
		if (result < 0)
			return result;
	}
	return 0;
}
