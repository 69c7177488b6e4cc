/* SPDX-License-Identifier: MIT */
/* This file decodes x86-64 page-table entries. */
#include "pages/entry.h"

#include <cpuid.h>
#include <emmintrin.h>
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

bool entry_is_soft_dirty(uint64_t entry, unsigned shift)
{
	if (entry_is_leaf(entry, shift))
		return entry & ARCH_SOFT_DIRTY;
	return !(entry & ARCH_PRESENT) && (entry & ARCH_SWAP_SOFT_DIRTY);
}

/* Above the lowest level an entry that is present points to a table. */
static void decode_absent(uint64_t entry, struct page_entry *out)
{
	uint64_t type = entry >> ARCH_SWAP_TYPE_SHIFT;

	if (entry & ARCH_PRESENT)
		return;
	out->instead = entry & ~ARCH_SWAP_FLAGS;
	out->moving = entry != 0 && type >= ARCH_SWAP_SPECIAL && type < ARCH_SWAP_MARKER;
}

void entry_decode(uint64_t entry, unsigned shift, uint64_t address_mask, struct page_entry *out)
{
	uint64_t bits = entry;

	memset(out, 0, sizeof(*out));
	if (!entry_is_leaf(entry, shift)) {
		decode_absent(entry, out);
		return;
	}
	out->present = true;
	out->accessible = entry & ARCH_PRESENT;
	out->writable = entry & ARCH_WRITE;
	out->young = entry & ARCH_ACCESSED;
	out->dirty = entry & (ARCH_DIRTY | ARCH_SAVED_DIRTY);
	out->special = entry & ARCH_SPECIAL;
	/* Against L1TF the kernel inverts the address of entries that the processor does not see as present. */
	if (!(entry & ARCH_PRESENT))
		bits = ~entry;
	out->pfn = (bits & address_mask & ~((1ull << shift) - 1)) >> ARCH_PAGE_SHIFT;
}

/* Of 16 entries, one bit each: do any bits of `mask` (of the entry's lower half) stand in it? */
static inline uint64_t any_of_16(const __m128i lower[4], __m128i mask)
{
	const __m128i zero = _mm_setzero_si128();
	__m128i none[4];

	for (unsigned i = 0; i < 4; i++)
		none[i] = _mm_cmpeq_epi32(_mm_and_si128(lower[i], mask), zero);
	return (uint16_t)~_mm_movemask_epi8(
	        _mm_packs_epi16(_mm_packs_epi32(none[0], none[1]), _mm_packs_epi32(none[2], none[3])));
}

/* Four entries' lower halves. */
static inline __m128i lower_of_4(const uint64_t *entries)
{
	__m128 first = _mm_castsi128_ps(_mm_loadu_si128((const __m128i *)entries));
	__m128 second = _mm_castsi128_ps(_mm_loadu_si128((const __m128i *)(entries + 2)));

	return _mm_castps_si128(_mm_shuffle_ps(first, second, _MM_SHUFFLE(2, 0, 2, 0)));
}

/* Bits [first, end) of word number `word` of a bitmap. */
static inline uint64_t window(unsigned word, unsigned first, unsigned end)
{
	uint64_t bits = ~UINT64_C(0);

	if (first > word * 64)
		bits = first - word * 64 < 64 ? bits << (first - word * 64) : 0;
	if (end < (word + 1) * 64)
		bits &= end > word * 64 ? ~UINT64_C(0) >> ((word + 1) * 64 - end) : 0;
	return bits;
}

/* Most words are all or nothing, and the compiler may not count by one instruction. */
static inline uint32_t count(uint64_t bits)
{
	if (bits == 0 || bits == ~UINT64_C(0))
		return (uint32_t)(bits & 64);
	return (uint32_t)__builtin_popcountll(bits);
}

/* A pass over cold memory is this loop and the reading of tables: 64 entries a turn, without a branch. */
void entries_decode(const uint64_t *entries, unsigned first, unsigned end, unsigned shift, uint64_t *present,
                    uint64_t *young, uint32_t *nr_present, uint32_t *nr_young)
{
	const __m128i leaf = _mm_set1_epi32(shift == ARCH_PAGE_SHIFT ? ARCH_PRESENT | ARCH_PROTNONE : ARCH_HUGE);
	const __m128i accessed = _mm_set1_epi32(ARCH_ACCESSED);

	*nr_present = 0;
	*nr_young = 0;
	for (unsigned word = 0; word < 8; word++) {
		uint64_t is_present = 0;
		uint64_t is_young = 0;

		for (unsigned i = 0; i < 64; i += 16) {
			__m128i lower[4];

			for (unsigned k = 0; k < 4; k++)
				lower[k] = lower_of_4(&entries[word * 64 + i + k * 4]);
			is_present |= any_of_16(lower, leaf) << i;
			is_young |= any_of_16(lower, accessed) << i;
		}
		present[word] = is_present & window(word, first, end);
		young[word] = is_young & present[word];
		*nr_present += count(present[word]);
		*nr_young += count(young[word]);
	}
}
