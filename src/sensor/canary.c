/* SPDX-License-Identifier: MIT */
/* This file keeps canaries. */
#include "sensor/canary.h"

#include <string.h>

#include "pages/entry.h"

void canary_add(struct canaries *canaries, uint64_t addr)
{
	unsigned at = canaries->nr;

	if (canaries->nr == NR_CANARIES)
		return;
	while (at > 0 && canaries->items[at - 1].addr >= addr)
		at--;
	if (at < canaries->nr && canaries->items[at].addr == addr)
		return;
	memmove(canaries->items + at + 1, canaries->items + at, (canaries->nr - at) * sizeof(canaries->items[0]));
	canaries->items[at] = (struct canary){ .addr = addr };
	canaries->nr++;
}

void canary_drop(struct canaries *canaries, unsigned index)
{
	canaries->nr--;
	memmove(canaries->items + index, canaries->items + index + 1,
	        (canaries->nr - index) * sizeof(canaries->items[0]));
}

void canary_drop_range(struct canaries *canaries, const struct tide_range *range)
{
	for (unsigned i = canaries->nr; i-- > 0;)
		if (canaries->items[i].addr >= range->start && canaries->items[i].addr < range->end)
			canary_drop(canaries, i);
}

int canary_look(struct canaries *canaries, unsigned index, const struct walker_sample *sample,
                const struct walker_facts *facts)
{
	struct canary *canary = &canaries->items[index];
	struct page_entry entry = { 0 };

	if (sample->state == WALKER_READ)
		entry_decode(sample->entry, sample->shift, facts->address_mask, &entry);
	/* A candidate is taken when its folio is seen, and is a page of its own. */
	if (canary->pfn == 0 && entry.young && sample->has_folio && sample->folio_order == 0) {
		canary->pfn = entry.pfn;
		canary->folio_flags = sample->folio_flags;
	}
	if (entry.young && (canary->pfn == entry.pfn || canary->pfn == 0))
		return 1;
	/* The same page, old: somebody cleared it. PG_young would be a witness left behind, for each page of its own.
	 */
	if (entry.present && canary->pfn == entry.pfn &&
	    !(sample->folio_flags & ~canary->folio_flags & (facts->young | facts->referenced)))
		canaries->nr_alarms++;
	canary_drop(canaries, index);
	return 0;
}
