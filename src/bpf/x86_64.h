/* SPDX-License-Identifier: MIT */
/*
 * x86-64 page-table entries as the walker meets them (Intel SDM vol. 3, 4.5; Linux
 * arch/x86/include/asm/pgtable_types.h). The one place, with pages/arch_x86_64.c, that knows the architecture.
 */
#ifndef BPF_X86_64_H
#define BPF_X86_64_H

#define ARCH_PAGE_SHIFT 12
#define ARCH_PMD_SHIFT  21
#define ARCH_PUD_SHIFT  30
#define ARCH_P4D_SHIFT  39
#define ARCH_PGD_SHIFT  48 /* root of a 5-level table; a 4-level table's root has ARCH_P4D_SHIFT */
#define ARCH_INDEX_MASK 511u

#define ARCH_PRESENT     (1ull << 0)
#define ARCH_WRITE       (1ull << 1)
#define ARCH_ACCESSED    (1ull << 5)
#define ARCH_DIRTY       (1ull << 6)
#define ARCH_HUGE        (1ull << 7) /* above the lowest level: this entry maps memory itself */
#define ARCH_PROTNONE    (1ull << 8) /* with PRESENT clear: mapped, but no access allowed (PROT_NONE, NUMA hint) */
#define ARCH_SPECIAL     (1ull << 9) /* no struct page behind it */
#define ARCH_SOFT_DIRTY  (1ull << 11)
#define ARCH_SAVED_DIRTY (1ull << 58)

/*
 * An entry without a page that is not 0: where the page is instead, or a marker. The type, a swap device's number or
 * one of the special ones above all of those, is in the upper bits, flags that change are in the lower (pgtable_64.h,
 * "Encode and de-code a swap entry"; linux/swap.h, MAX_SWAPFILES). Special: up to four of devices, three of migration,
 * one of broken memory; the last is that of markers.
 */
#define ARCH_SWAP_TYPE_SHIFT 59
#define ARCH_SWAP_SOFT_DIRTY (1ull << 1)
#define ARCH_SWAP_SPECIAL    23u
#define ARCH_SWAP_MARKER     31u
#define ARCH_SWAP_FLAGS      0x1ffull

#define ARCH_ADDRESS_MASK 0x000ffffffffff000ull

#endif
