/* SPDX-License-Identifier: MIT */
/*
 * What the model's memory is made of. Page numbers are of the whole address space (vpn), 36 bits and four levels of
 * tables; folios, tables and swap slots are named by their place in the model's arrays, from 1 on.
 *
 * For every folio, at every instant (invariants.c):
 *
 *   references >= mappings + pins + (in the page cache ? 1 : 0), and between operations no more than that
 *   an exclusive anonymous page is mapped at most once
 *   pinned and anonymous => exclusive, or mapped nowhere
 */
#ifndef MODEL_STATE_H
#define MODEL_STATE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/intervals.h"
#include "base/rng.h"
#include "base/vec.h"
#include "model/model.h"

enum {
	LEVELS = 4,
	ENTRIES = 512,
	PIN_BIAS = 1024,
};
#define FIRST_PAGE (MODEL_BASE >> 12)

/* Where the huge page begins in which `page` lies; the first one that begins there or later. */
static inline uint64_t block_of(uint64_t page)
{
	return page & ~(uint64_t)(MODEL_HUGE - 1);
}

static inline uint64_t block_from(uint64_t page)
{
	return block_of(page + MODEL_HUGE - 1);
}

enum entry_kind {
	ENTRY_NONE,
	ENTRY_TABLE,     /* `of` is a table */
	ENTRY_PAGE,      /* page `index` of folio `of` */
	ENTRY_HUGE,      /* all of folio `of`, at the last level but one */
	ENTRY_ZERO,      /* the zero page; at the last level but one the huge one */
	ENTRY_SWAP,      /* `of` is a slot */
	ENTRY_MIGRATION, /* page `index` of folio `of`, which is on its way */
	ENTRY_DEVICE,    /* as ENTRY_PAGE, but in a device's own memory: an access brings it back */
	ENTRY_MARKER,    /* nothing but uffd_wp */
};

struct entry {
	enum entry_kind kind;
	uint16_t index;
	bool write, dirty, young, soft, uffd_wp;
	bool exclusive; /* swap and migration entries: the page was exclusive */
	uint32_t of;
};

struct table {
	struct entry entries[ENTRIES];
	uint32_t locked_by; /* a task, 0 for none */
	bool is_freed;
};

struct folio {
	bool is_free;
	bool is_huge;
	bool is_anon; /* else of a file: shmem, kept by its page cache */
	bool is_ksm;
	bool is_stable;    /* KSM merged something with it, and finds it by its contents */
	bool is_lazy;      /* MADV_FREE: not swap-backed */
	bool may_be_large; /* back from swap, where it went as part of a huge page: that may still be one */
	bool is_dirty; /* PG_dirty: was found dirty when entries let go of it; most are dirty by their entries only */
	bool is_active, is_idle, is_young;
	uint32_t nr_refs;
	uint32_t nr_pins;    /* references too, PIN_BIAS each of a base page, one of a huge one */
	uint32_t nr_mapped;  /* by entries of pages, all of its pages together */
	uint32_t nr_huge;    /* by huge entries */
	uint32_t nr_counted; /* of either kind, when they are counted again */
	uint32_t locked_by;
	bool in_cache; /* of a file */
	uint32_t slot; /* whose contents it holds, in the swap cache; its reference is not among nr_refs */
	struct page {
		bool exclusive;
		uint32_t nr_mapped; /* by entries of pages */
		uint64_t value;
	} * pages; /* 1 or MODEL_HUGE */
};

struct slot {
	uint32_t nr_refs; /* entries that name it; 0: it is free */
	uint32_t nr_counted;
	bool is_of_large;
	uint64_t value;
	uint32_t folio; /* in the swap cache: whoever reads the slot maps this one; 0 for none */
};

struct vma {
	uint64_t start, end;
	enum model_kind kind;
	uint8_t protection;
	bool is_soft;       /* VM_SOFTDIRTY */
	bool is_unsure;     /* of two that merged one was soft: some kernels lose that */
	bool is_registered; /* for asynchronous write protection */
	bool is_mergeable;
	bool is_accounted; /* VM_ACCOUNT: its pages may become its own */
	int8_t huge;       /* 1: MADV_HUGEPAGE, -1: MADV_NOHUGEPAGE */
	uint32_t anon;     /* its anon_vma, 0 for none; such mappings are copied at fork */
	bool is_forked;    /* has its parent's, too: it takes no neighbour's */
	uint32_t file;     /* which one; 0: none, or what MODEL_FILE maps */
	uint64_t offset;   /* vm_pgoff: in its file, or where an anonymous one was first used */
};

struct pin {
	uint32_t nr; /* pages; 0: the buffer is free */
	uint32_t folio[MODEL_PAGES];
	uint16_t index[MODEL_PAGES];
};

/* What the page cache keeps of a file. */
struct file {
	uint32_t folio[MODEL_PAGES]; /* 0: not there */
};

struct mm {
	bool is_there;
	bool is_taken;               /* is there, or is being made */
	bool is_ending;              /* nothing new begins in it */
	uint32_t nr_users;           /* operations on their way */
	bool has_pinned;             /* MMF_HAS_PINNED: it has, or had */
	uint32_t top;                /* its highest table */
	uint32_t nr_readers, writer; /* of the mmap lock: how many, and which task */
	VEC(struct vma) vmas;        /* ascending */
	struct pin *pins;            /* MODEL_PINS */
	uint32_t ksm_nr;             /* when KSM came to know it, 0: it does not */
	bool is_collecting;          /* one tracker, one collect at a time */
	struct intervals was_pinned; /* at the last collect */
	/* What a tracker must come to know, for each page of the arena, beside all that the kernel keeps. */
	struct truth *truth;
};

/* That a page's contents have changed ... */
struct truth {
	bool soft;   /* since soft-dirty bits were cleared, or it was mapped */
	bool armed;  /* by the program, since it was armed */
	bool device; /* by a device, since the last collect */
	bool alone;  /* its soft-dirty bit was cleared, its mapping's was not: whoever did reads the entry's own */
};

struct model {
	struct model_opts opts;
	struct mm mms[MODEL_PROCESSES];
	VEC(struct folio *) folios;
	VEC(uint32_t) free; /* of them */
	VEC(struct table *) tables;
	VEC(struct slot) slots;
	VEC(struct file *) files;
	uint32_t nr_anons, nr_ksm;
	char broken[160];
	bool no_memory;
	struct scheduler *scheduler; /* NULL: one operation at a time */
	jmp_buf out;                 /* where one operation at a time goes when there is no memory */
};

#endif
