/* SPDX-License-Identifier: MIT */
/*
 * What the walker program and user space share: one query at a time, written by user space before a read of the
 * iterator, answered by the program in the same memory. Fixed-width members, explicit padding.
 */
#ifndef BPF_WALKER_H
#define BPF_WALKER_H

#ifdef __BPF__
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef int int32_t;
typedef unsigned long long uint64_t;
#else
#include <stdint.h>
#endif

#define WALKER_MAX_SAMPLES 4096 /* addresses in one query */
#define WALKER_MAX_TABLES  256  /* page-table pages copied in one query: 512 MiB of base pages */
#define WALKER_MAX_RAM     32   /* System RAM ranges: holes beyond that many are treated as no RAM */
#define WALKER_ENTRIES     512
#define WALKER_PROOF_BYTES 64

enum walker_mode {
	WALKER_SAMPLE = 1, /* answer samples[cursor..nr) */
	WALKER_BULK,       /* copy tables of [range_start, range_end) */
	WALKER_FIND_MAP,   /* find the direct map: the own page `proof_pfn` holds `proof` */
	WALKER_FIND_FOLIO, /* `folio` = the first folio of the file that is mapped at range_start */
	WALKER_FLAGS,      /* `mm_flags` = the flags of the mm */
};

enum walker_status {
	WALKER_NOTHING = 0, /* no VMA was visited: the thread has no mm (any more) */
	WALKER_DONE,
	WALKER_MORE,  /* bound reached: ask again from the cursor */
	WALKER_OTHER, /* the number belongs to another process, or it executed another program */
};

struct walker_ram {
	uint64_t first_pfn;
	uint64_t end_pfn;
};

/* What is the same for the whole time the kernel runs. Flags: masks in a folio's flags word; 0: this kernel has no
 * such. */
struct walker_facts {
	uint64_t lru;
	uint64_t referenced;
	uint64_t workingset;
	uint64_t young;
	uint64_t swapcache; /* means it together with swapbacked only */
	uint64_t swapbacked;
	uint64_t private;
	uint64_t head;
	uint64_t address_mask; /* physical address bits of an entry */
	uint32_t has_large_mapcount;
	uint32_t pad;
};

struct walker_query {
	/* in */
	uint32_t mode;
	uint32_t levels;            /* of the page table: 4 or 5 */
	uint64_t start_boottime_ns; /* of the thread group's leader; 0: not known yet, report it */
	uint64_t mm;                /* address of the mm_struct; 0: not known yet, report it */
	uint64_t direct_map;        /* virtual address of physical address 0 */
	uint64_t vmemmap;           /* virtual address of struct page 0; 0: do not look at folios */
	uint64_t range_start;
	uint64_t range_end;
	uint64_t scan_start; /* WALKER_BULK: range_start of the first query of a scan */
	uint64_t budget_ns;  /* give up the lock after so long */
	uint64_t proof_pfn;
	uint64_t proof[WALKER_PROOF_BYTES / 8];
	uint64_t nr_candidates; /* WALKER_FIND_MAP: how many GiB below the page-table root to try */
	uint32_t nr_ram;
	uint32_t nr; /* samples */
	struct walker_ram ram[WALKER_MAX_RAM];
	/* in and out */
	uint32_t cursor;    /* WALKER_SAMPLE: next sample */
	uint32_t nr_tables; /* WALKER_BULK: tables copied */
	uint64_t next;      /* WALKER_BULK: next address */
	/* out */
	uint32_t status;
	uint32_t has_notifiers; /* memory is used through secondary page tables too */
	uint64_t found_boottime_ns;
	uint64_t found_mm;
	uint64_t found_pgd;
	uint64_t folio;
	uint64_t page_struct_size;
	uint64_t mm_flags;
	struct walker_facts facts; /* WALKER_FIND_FOLIO: this kernel's page flags */
	uint64_t began_ns;
	uint64_t longest_ns; /* longest stay inside one VMA: nobody can take the lock for writing meanwhile */
};

enum walker_sample_state {
	WALKER_UNMAPPED = 0, /* no VMA there */
	WALKER_READ,         /* `entry` is what maps it (0: nothing does) */
	WALKER_FAULT,        /* a table could not be read */
};

struct walker_sample {
	uint64_t addr; /* in */
	uint64_t entry;
	uint64_t vm_start;
	uint64_t vm_end;
	uint64_t vm_flags;
	uint64_t folio_flags; /* of the folio's first page; valid when has_folio */
	int32_t mapcount;     /* mappings of the whole folio; -1: this kernel does not keep it */
	uint8_t state;
	uint8_t shift; /* log2 of the bytes `entry` maps */
	uint8_t has_folio;
	uint8_t folio_order;
	uint8_t vm_has_file;
	uint8_t wants_folio;  /* in: look at its folio also when the entry is young */
	uint8_t wants_counts; /* in: and at who else holds the folio, however it is mapped */
	uint8_t pad[5];
	uint64_t folio_pfn; /* first page's */
	/* Valid when has_folio and wants_counts: */
	uint64_t folio_mapping; /* what it belongs to; bit 0: it is anonymous */
	int32_t refcount;
	int32_t pincount; /* of a large folio; -1: this kernel does not keep it */
};

struct walker_table {
	uint64_t addr;     /* that entries[0] maps */
	uint64_t vm_start; /* of the VMA, or of the part of it for which this copy counts */
	uint64_t vm_end;
	uint64_t vm_flags;
	uint32_t shift; /* log2 of the bytes one entry maps */
	uint32_t vm_has_file;
	uint64_t entries[WALKER_ENTRIES];
};

_Static_assert(sizeof(struct walker_sample) == 88, "shared with the program");
_Static_assert(sizeof(struct walker_table) == 4136, "shared with the program");

#endif
