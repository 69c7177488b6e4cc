// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * This file walks page tables inside the kernel.
 *
 * It runs once for each VMA of one task (iter/task_vma): the kernel holds a reference on the mm and its mmap lock in
 * read mode meanwhile. That is the rule for walking a user page table: inside a known VMA, with the lock held
 * (Documentation/mm/process_addrs.rst). Further it relies on
 *  - not being sleepable: a run is one RCU section, so a table that is freed meanwhile (MADV_DONTNEED of a whole table
 *    under the read lock, file THP) stays readable memory until it ends. No table's address is kept over two runs.
 *  - every read being fallible (bpf_probe_read_kernel), every table's frame being System RAM, every loop being bounded.
 * It only reads. What it claims: it never writes and never crashes; an entry may be stale by the time it is decoded.
 *
 * One run handles a bounded number of tables or samples, then says WALKER_MORE; user space reads again from the cursor,
 * and the kernel gives way to whoever waits for the lock between VMAs and between reads.
 */
#define __BPF__ 1
#include "walker.h"
#include "x86_64.h"
#include "kernel.h"

typedef uint8_t __u8;
typedef uint16_t __u16;
typedef uint32_t __u32;
typedef int32_t __s32;
typedef uint64_t __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char _license[] SEC("license") = "Dual MIT/GPL";

#define GIB (1ull << 30)

/* Set before loading: this kernel has bpf_rdonly_cast. */
const volatile _Bool has_cast;
void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

struct walker_query query;
struct walker_sample samples[WALKER_MAX_SAMPLES];
struct walker_table tables[WALKER_MAX_TABLES];

/* The lowest table found so far on the way to an address, kept within one run only. */
struct walk {
	uint64_t pud_table; /* that holds `pud_entry` */
	uint64_t pmd_table; /* of the GiB `pmd_key`; 0: there is none */
	uint64_t pmd_key;
	uint64_t pud_entry; /* what stands in its place: 0, or a 1 GiB leaf */
	uint64_t vm_start;
	uint64_t vm_end;
	uint64_t vm_flags;
	uint32_t vm_has_file;
	uint32_t fault;
	uint32_t more; /* the bound was reached */
	uint32_t answered;
	uint32_t skip_shift; /* how much of the address space a missing upper table leaves out */
};

/* Is this page frame System RAM? Nothing else is ever taken for a table. Global, so that it is verified once only. */
int is_ram(uint64_t pfn);

__attribute__((noinline)) int is_ram(uint64_t pfn)
{
	for (int i = 0; i < WALKER_MAX_RAM; i++) {
		if (i >= query.nr_ram)
			return 0;
		if (pfn >= query.ram[i].first_pfn && pfn < query.ram[i].end_pfn)
			return 1;
	}
	return 0;
}

/* The direct-map address of the table an entry points to; 0 when it points to none. */
static __always_inline uint64_t table_of(uint64_t entry)
{
	uint64_t address = entry & query.facts.address_mask;

	if (!(entry & ARCH_PRESENT) || !is_ram(address >> ARCH_PAGE_SHIFT))
		return 0;
	return query.direct_map + address;
}

/*
 * A word of kernel memory. Since 6.2 a cast lets the processor read it, with the fault caught, at a tenth of what the
 * helper costs; but a fault reads as 0, so a 0 is asked for again. Negative: it cannot be read.
 */
static __always_inline int read_word(uint64_t addr, uint64_t *word)
{
	if (has_cast) {
		struct cpumask *words = bpf_rdonly_cast((void *)addr, bpf_core_type_id_kernel(struct cpumask));

		*word = words->bits[0];
		if (*word)
			return 0;
	}
	return bpf_probe_read_kernel(word, sizeof(*word), (void *)addr);
}

/* Nothing that was found on this way is kept: the next address below the same tables meets the fault itself. */
static __always_inline void fault(struct walk *walk)
{
	walk->fault = 1;
	walk->pmd_key = ~0ull;
}

static __always_inline uint64_t read_entry(struct walk *walk, uint64_t table, uint64_t addr, uint32_t shift)
{
	uint64_t entry = 0;

	if (read_word(table + ((addr >> shift) & ARCH_INDEX_MASK) * 8, &entry))
		fault(walk);
	return entry;
}

/* The table below an entry that is no leaf. One that is there and cannot be followed is not one that is missing. */
static __always_inline uint64_t next_table(struct walk *walk, uint64_t entry)
{
	uint64_t table = table_of(entry);

	if (!table && (entry & ARCH_PRESENT))
		fault(walk);
	return table;
}

/* Finds the table of 2 MiB entries for addr, unless the last walk already did. Global, as is_ram. */
int find_pmd_table(struct walk *walk, uint64_t addr);

__attribute__((noinline)) int find_pmd_table(struct walk *walk, uint64_t addr)
{
	uint64_t table = query.found_pgd;
	uint64_t entry;

	if (!walk)
		return 0;
	if (walk->pmd_key == addr >> ARCH_PUD_SHIFT)
		return 0;
	walk->pmd_key = addr >> ARCH_PUD_SHIFT;
	walk->pud_table = 0;
	walk->pmd_table = 0;
	walk->pud_entry = 0;
	walk->skip_shift = ARCH_P4D_SHIFT;
	if (query.levels == 5) {
		entry = read_entry(walk, table, addr, ARCH_PGD_SHIFT);
		table = next_table(walk, entry);
		if (!table)
			return 0;
	}
	entry = read_entry(walk, table, addr, ARCH_P4D_SHIFT);
	table = next_table(walk, entry);
	if (!table)
		return 0;
	walk->skip_shift = ARCH_PUD_SHIFT;
	walk->pud_table = table;
	entry = read_entry(walk, table, addr, ARCH_PUD_SHIFT);
	walk->pud_entry = entry;
	if (!(entry & ARCH_HUGE))
		walk->pmd_table = next_table(walk, entry);
	return 0;
}

/* The entry that maps addr, or stands where it would, and its size. */
static __always_inline uint64_t walk_to(struct walk *walk, uint64_t addr, uint8_t *shift)
{
	uint64_t entry;
	uint64_t table;

	find_pmd_table(walk, addr);
	*shift = ARCH_PUD_SHIFT;
	if (!walk->pmd_table)
		return walk->pud_entry & ARCH_HUGE ? walk->pud_entry : 0;
	*shift = ARCH_PMD_SHIFT;
	entry = read_entry(walk, walk->pmd_table, addr, ARCH_PMD_SHIFT);
	/* Not a table: a huge page, one that is being split (HUGE without PRESENT), a migration entry, or nothing. */
	if ((entry & ARCH_HUGE) || !(entry & ARCH_PRESENT))
		return entry;
	table = next_table(walk, entry);
	if (!table)
		return 0;
	*shift = ARCH_PAGE_SHIFT;
	return read_entry(walk, table, addr, ARCH_PAGE_SHIFT);
}

/* A count shares a word of struct page with its neighbour: the word is read, and the field taken out of it. */
static __always_inline int32_t read_count(uint64_t page, uint64_t offset)
{
	uint64_t word = 0;

	read_word(page + (offset & ~7ull), &word);
	return (int32_t)(word >> (offset & 4) * 8);
}

/* Mappings of a large folio, and its order; both unknown where the kernel keeps them otherwise. */
static __always_inline void read_large(struct walker_sample *sample, uint64_t head)
{
	struct folio *folio = (void *)head;
	uint64_t flags_1 = 0;

	sample->mapcount = -1;
	if (!bpf_core_field_exists(folio->_large_mapcount) || !bpf_core_field_exists(folio->_flags_1))
		return;
	bpf_probe_read_kernel(&sample->mapcount, sizeof(sample->mapcount), &folio->_large_mapcount.counter);
	bpf_probe_read_kernel(&flags_1, sizeof(flags_1), &folio->_flags_1);
	sample->mapcount += 1;
	sample->folio_order = flags_1 & 0xff;
}

/*
 * Who holds the folio. The references come between two readings of the mappings, of which the lower one counts: a
 * mapping that comes or goes meanwhile may show as a reference too many, but never hides one.
 */
static __always_inline void read_holders(struct walker_sample *sample, uint64_t head, int is_large)
{
	struct folio *folio = (void *)0;
	uint64_t offset = bpf_core_field_offset(struct page, _mapcount);
	uint64_t word = 0;
	int32_t again;

	sample->pincount = -1;
	if (!is_large && bpf_core_field_offset(struct page, _refcount) == offset + 4 && !(offset & 7)) {
		read_word(head + offset, &word);
		sample->mapcount = (int32_t)word + 1;
		sample->refcount = (int32_t)(word >> 32);
	} else {
		sample->refcount = read_count(head, bpf_core_field_offset(struct page, _refcount));
		again = -1;
		if (!is_large)
			again = read_count(head, offset) + 1;
		else if (bpf_core_field_exists(folio->_large_mapcount))
			again = read_count(head, bpf_core_field_offset(struct folio, _large_mapcount)) + 1;
		if (again < sample->mapcount)
			sample->mapcount = again;
	}
	if (is_large && bpf_core_field_exists(folio->_pincount))
		sample->pincount = read_count(head, bpf_core_field_offset(struct folio, _pincount));
	sample->folio_mapping = 0;
	read_word(head + bpf_core_field_offset(struct folio, mapping), &sample->folio_mapping);
	/* Flags that explain a reference must be set before and after, the one that speaks against one at any time. */
	read_word(head, &word);
	sample->folio_flags = (sample->folio_flags & word) | ((sample->folio_flags | word) & query.facts.lru);
}

/*
 * The first page of the folio that a page belongs to. A tail page has bit 0 set in this word, and in the rest the
 * address of the first page, or since 7.1 perhaps the mask that makes it from that of the tail: as a number that lies
 * above all addresses of the array, while the first page comes before the tail. 0: it cannot be read.
 */
static __always_inline uint64_t head_of(uint64_t page)
{
	struct page___info *since = (void *)0;
	uint64_t offset;
	uint64_t info = 0;

	if (bpf_core_field_exists(since->compound_info))
		offset = bpf_core_field_offset(struct page___info, compound_info);
	else
		offset = bpf_core_field_offset(struct page, compound_head);
	if (read_word(page + offset, &info))
		return 0;
	if (!(info & 1))
		return page;
	return info > page ? page & info : info - 1;
}

/* Flags and counts of the folio behind a present entry. `flags` is the first word of struct page on every kernel. */
static __attribute__((noinline)) int read_folio(struct walker_sample *sample, uint64_t pfn)
{
	uint64_t page = query.vmemmap + pfn * query.page_struct_size;
	int is_large;

	if (!sample || !query.vmemmap || !is_ram(pfn))
		return 0;
	page = head_of(page);
	if (!page || read_word(page, &sample->folio_flags))
		return 0;
	sample->folio_pfn = (page - query.vmemmap) / query.page_struct_size;
	sample->folio_order = 0;
	is_large = (sample->folio_flags & (1ull << bpf_core_enum_value(enum pageflags, PG_head))) != 0;
	if (is_large)
		read_large(sample, page);
	else
		sample->mapcount = read_count(page, bpf_core_field_offset(struct page, _mapcount)) + 1;
	if (sample->wants_counts)
		read_holders(sample, page, is_large);
	sample->has_folio = 1;
	return 0;
}

/* Does the entry map a page that has a folio? A huge page that is just being split is of interest to some only. */
static __always_inline int is_mapped(const struct walker_sample *sample)
{
	uint64_t bits = ARCH_PRESENT | ARCH_PROTNONE;

	if (sample->wants_counts && sample->shift > ARCH_PAGE_SHIFT)
		bits |= ARCH_HUGE;
	return (sample->entry & bits) && !(sample->entry & ARCH_SPECIAL);
}

static long answer_sample(uint32_t unused, struct walk *walk)
{
	uint32_t n = query.cursor;
	struct walker_sample *sample;
	uint64_t address;

	if (n >= query.nr || n >= WALKER_MAX_SAMPLES)
		return 1;
	sample = &samples[n];
	if (sample->addr >= walk->vm_end)
		return 1;
	/* The clock costs a fifth of a sample: look at it now and then only. */
	if (n % 64 == 0 && bpf_ktime_get_ns() - query.began_ns > query.budget_ns && walk->answered) {
		walk->more = 1;
		return 1;
	}
	walk->answered = 1;
	query.cursor = n + 1;
	sample->state = WALKER_UNMAPPED;
	sample->has_folio = 0;
	sample->entry = 0;
	if (sample->addr < walk->vm_start)
		return 0;
	walk->fault = 0;
	sample->entry = walk_to(walk, sample->addr, &sample->shift);
	sample->vm_start = walk->vm_start;
	sample->vm_end = walk->vm_end;
	sample->vm_flags = walk->vm_flags;
	sample->vm_has_file = walk->vm_has_file;
	sample->state = walk->fault ? WALKER_FAULT : WALKER_READ;
	if ((sample->entry & ARCH_ACCESSED) && !sample->wants_folio)
		return 0;
	if (is_mapped(sample)) {
		/* Against L1TF the kernel inverts the address of entries that the processor does not see as present. */
		address = sample->entry & ARCH_PRESENT ? sample->entry : ~sample->entry;
		address &= query.facts.address_mask & ~((1ull << sample->shift) - 1);
		read_folio(sample, (address | (sample->addr & ((1ull << sample->shift) - 1))) >> ARCH_PAGE_SHIFT);
	}
	return 0;
}

/* What lies outside [start, end) of the VMA does not count. */
static __always_inline int copy_table(struct walk *walk, uint64_t table, uint64_t addr, uint32_t shift, uint64_t start,
                                      uint64_t end)
{
	uint32_t n = query.nr_tables;
	struct walker_table *copy;

	if (n >= WALKER_MAX_TABLES)
		return 0;
	copy = &tables[n];
	if (bpf_probe_read_kernel(copy->entries, sizeof(copy->entries), (void *)table))
		return 0;
	copy->addr = addr;
	copy->shift = shift;
	copy->vm_start = start > walk->vm_start ? start : walk->vm_start;
	copy->vm_end = end < walk->vm_end ? end : walk->vm_end;
	copy->vm_flags = walk->vm_flags;
	copy->vm_has_file = walk->vm_has_file;
	query.nr_tables = n + 1;
	return 0;
}

/* One 2 MiB step of a bulk walk: copies the table below it; at the first step into a GiB also the table of 2 MiB
 * entries. */
static long copy_step(uint32_t unused, struct walk *walk)
{
	uint64_t addr = query.next;
	uint64_t end = walk->vm_end < query.range_end ? walk->vm_end : query.range_end;
	uint64_t key = walk->pmd_key;
	uint64_t step = 1ull << ARCH_PMD_SHIFT;
	uint64_t entry;
	uint64_t table;

	if (addr >= end)
		return 1;
	/* Two tables at most are copied in a step. */
	if (query.nr_tables + 2 > WALKER_MAX_TABLES || bpf_ktime_get_ns() - query.began_ns > query.budget_ns) {
		walk->more = 1;
		return 1;
	}
	find_pmd_table(walk, addr);
	if (!walk->pmd_table) {
		step = 1ull << (walk->skip_shift & 63);
		/* A page of a GiB: its table, for this one entry. */
		if (walk->pud_entry & ARCH_HUGE)
			copy_table(walk, walk->pud_table, addr & ~((1ull << ARCH_P4D_SHIFT) - 1), ARCH_PUD_SHIFT,
			           addr & ~(GIB - 1), (addr & ~(GIB - 1)) + GIB);
	} else {
		/* Once for each GiB and VMA: not again when a walk that ran out of time goes on in the middle of one.
		 */
		if (key != walk->pmd_key &&
		    (key != ~0ull || addr == walk->vm_start || addr == query.scan_start || !(addr % GIB)))
			copy_table(walk, walk->pmd_table, addr & ~(GIB - 1), ARCH_PMD_SHIFT, 0, ~0ull);
		entry = read_entry(walk, walk->pmd_table, addr, ARCH_PMD_SHIFT);
		table = entry & ARCH_HUGE ? 0 : table_of(entry);
		if (table)
			copy_table(walk, table, addr & ~(step - 1), ARCH_PAGE_SHIFT, 0, ~0ull);
	}
	/* The next VMA may begin below the same table. */
	addr = (addr & ~(step - 1)) + step;
	query.next = addr < walk->vm_end ? addr : walk->vm_end;
	return 0;
}

/* Tries one candidate for the direct map: does the page frame we know hold what we wrote? */
static long try_direct_map(uint32_t n, struct walk *unused)
{
	uint64_t base = (query.found_pgd & ~(GIB - 1)) - n * GIB;
	uint64_t content[WALKER_PROOF_BYTES / 8];

	if (bpf_probe_read_kernel(content, sizeof(content), (void *)(base + (query.proof_pfn << ARCH_PAGE_SHIFT))))
		return 0;
	for (int i = 0; i < WALKER_PROOF_BYTES / 8; i++)
		if (content[i] != query.proof[i])
			return 0;
	query.direct_map = base;
	return 1;
}

/* Same process, same program as before? Learns both at the first visit. */
static __always_inline int is_target(struct task_struct *task, struct mm_struct *mm)
{
	query.found_boottime_ns = task->group_leader->start_boottime;
	query.found_mm = (uint64_t)mm;
	query.found_pgd = (uint64_t)mm->pgd;
	if (query.start_boottime_ns && query.start_boottime_ns != query.found_boottime_ns)
		return 0;
	return !query.mm || query.mm == query.found_mm;
}

static __always_inline uint32_t has_notifiers(struct mm_struct *mm)
{
	struct mmu_notifier_subscriptions *subscriptions = mm->notifier_subscriptions;

	return subscriptions && (subscriptions->list.first || subscriptions->has_itree);
}

static __always_inline void read_mm_flags(struct mm_struct *mm)
{
	struct mm_struct___word *word = (void *)mm;
	struct mm_struct___bitmap *bitmap = (void *)mm;

	query.mm_flags = 0;
	if (bpf_core_field_exists(word->flags))
		bpf_probe_read_kernel(&query.mm_flags, sizeof(query.mm_flags), &word->flags);
	else if (bpf_core_field_exists(bitmap->flags))
		bpf_probe_read_kernel(&query.mm_flags, sizeof(query.mm_flags), &bitmap->flags);
}

#define FLAG(name)                                                                                                     \
	(bpf_core_enum_value_exists(enum pageflags, name) ? 1ull << bpf_core_enum_value(enum pageflags, name) : 0)

static __always_inline void learn_facts(void)
{
	struct folio *folio = (void *)0;

	query.facts.lru = FLAG(PG_lru);
	query.facts.referenced = FLAG(PG_referenced);
	query.facts.workingset = FLAG(PG_workingset);
	query.facts.young = FLAG(PG_young);
	query.facts.swapcache = FLAG(PG_swapcache);
	query.facts.swapbacked = FLAG(PG_swapbacked);
	query.facts.private = FLAG(PG_private);
	query.facts.head = FLAG(PG_head);
	query.facts.has_large_mapcount = bpf_core_field_exists(folio->_large_mapcount);
}

static __always_inline void run_query(struct walk *walk, struct vm_area_struct *vma)
{
	struct file *file = vma->vm_file;

	switch (query.mode) {
	case WALKER_SAMPLE:
		bpf_loop(WALKER_MAX_SAMPLES, answer_sample, walk, 0);
		if (query.cursor >= query.nr)
			query.status = WALKER_DONE;
		else if (walk->more)
			query.status = WALKER_MORE;
		break;
	case WALKER_BULK:
		if (query.next < walk->vm_start)
			query.next = walk->vm_start;
		bpf_loop(1 << 18, copy_step, walk, 0);
		if (query.next >= query.range_end)
			query.status = WALKER_DONE;
		else if (walk->more)
			query.status = WALKER_MORE;
		break;
	case WALKER_FIND_MAP:
		bpf_loop(query.nr_candidates, try_direct_map, walk, 0);
		query.status = WALKER_DONE;
		break;
	case WALKER_FIND_FOLIO:
		if (query.range_start < walk->vm_start || query.range_start >= walk->vm_end || !file)
			break;
		query.folio = (uint64_t)file->f_mapping->i_pages.xa_head;
		query.page_struct_size = bpf_core_type_size(struct page);
		learn_facts();
		query.status = WALKER_DONE;
		break;
	case WALKER_FLAGS:
		read_mm_flags(vma->vm_mm);
		query.status = WALKER_DONE;
		break;
	}
}

/* Is there nothing to look at in this VMA? The next sample lies behind it, as a rule. */
static __always_inline int is_passed_over(struct vm_area_struct *vma)
{
	uint32_t n = query.cursor;

	return query.mode == WALKER_SAMPLE && n < query.nr && n < WALKER_MAX_SAMPLES && samples[n].addr >= vma->vm_end;
}

SEC("iter/task_vma")
int walk_vma(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct walk walk = { .pmd_key = ~0ull };
	uint64_t now;
	char stop = 0;

	if (!task || !vma)
		return 0;
	if (!is_target(task, vma->vm_mm)) {
		query.status = WALKER_OTHER;
		goto end;
	}
	query.has_notifiers = has_notifiers(vma->vm_mm);
	if (is_passed_over(vma))
		return 0;
	now = bpf_ktime_get_ns();
	query.began_ns = now;
	walk.vm_start = vma->vm_start;
	walk.vm_end = vma->vm_end;
	walk.vm_flags = vma->vm_flags;
	walk.vm_has_file = vma->vm_file != 0;
	run_query(&walk, vma);
	now = bpf_ktime_get_ns() - now;
	if (now > query.longest_ns)
		query.longest_ns = now;
	if (query.status == WALKER_NOTHING)
		return 0;
end:
	/* Bytes for the reader make this the last VMA of the read. */
	bpf_seq_write(ctx->meta->seq, &stop, sizeof(stop));
	return 0;
}
