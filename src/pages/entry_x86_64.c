/* SPDX-License-Identifier: MIT */
/* This file decodes x86-64 page-table entries. */
#include "pages/entry.h"

#include <cpuid.h>
#include <string.h>

#include "bpf/x86_64.h"

uint64_t entry_address_mask(void)
{
	uint32_t eax = 0;
	uint32_t ebx = 0;
	uint32_t ecx = 0;
	uint32_t edx = 0;
	uint64_t mask = ARCH_ADDRESS_MASK;

	/* AMD memory encryption marks an entry with one physical address bit (CPUID 8000_001F: EBX[5:0]). */
	if (__get_cpuid_count(0x8000001f, 0, &eax, &ebx, &ecx, &edx) && (eax & 3))
		mask &= ~(1ull << (ebx & 63));
	return mask;
}

bool entry_is_leaf(uint64_t entry, unsigned shift)
{
	if (shift == ARCH_PAGE_SHIFT)
		return entry & (ARCH_PRESENT | ARCH_PROTNONE);
	/* HUGE alone: a huge page that is just being split, still mapped. */
	return entry & ARCH_HUGE;
}

void entry_decode(uint64_t entry, unsigned shift, uint64_t address_mask, struct page_entry *out)
{
	uint64_t bits = entry;

	memset(out, 0, sizeof(*out));
	if (!entry_is_leaf(entry, shift))
		return;
	out->present = true;
	out->accessible = entry & ARCH_PRESENT;
	out->young = entry & ARCH_ACCESSED;
	out->dirty = entry & (ARCH_DIRTY | ARCH_SAVED_DIRTY);
	out->special = entry & ARCH_SPECIAL;
	/* Against L1TF the kernel inverts the address of entries that the processor does not see as present. */
	if (!(entry & ARCH_PRESENT))
		bits = ~entry;
	out->pfn = (bits & address_mask & ~((1ull << shift) - 1)) >> ARCH_PAGE_SHIFT;
}

void entries_decode(const uint64_t *entries, unsigned first, unsigned end, unsigned shift, uint64_t *present,
                    uint64_t *young, uint32_t *nr_present, uint32_t *nr_young)
{
	uint64_t leaf = shift == ARCH_PAGE_SHIFT ? ARCH_PRESENT | ARCH_PROTNONE : ARCH_HUGE;

	*nr_present = 0;
	*nr_young = 0;
	memset(present, 0, 64);
	memset(young, 0, 64);
	for (unsigned i = first; i < end; i++) {
		uint64_t entry = entries[i];
		uint64_t is_present = (entry & leaf) != 0;
		uint64_t is_young = is_present & ((entry & ARCH_ACCESSED) != 0);

		present[i / 64] |= is_present << (i % 64);
		young[i / 64] |= is_young << (i % 64);
		*nr_present += (uint32_t)is_present;
		*nr_young += (uint32_t)is_young;
	}
}
