/* SPDX-License-Identifier: MIT */
/* The kernel types the walker reads, cut down to the members it uses; libbpf finds their offsets in the running kernel
 * (CO-RE). */
#ifndef BPF_KERNEL_H
#define BPF_KERNEL_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct hlist_node;

struct hlist_head {
	struct hlist_node *first;
};

struct mmu_notifier_subscriptions {
	struct hlist_head list;
	_Bool has_itree;
};

struct mm_struct {
	void *pgd;
	struct mmu_notifier_subscriptions *notifier_subscriptions;
};

/* The flags of an mm are a word, and since 6.18 a bitmap of 64. */
struct mm_struct___word {
	unsigned long flags;
};

typedef struct {
	unsigned long __mm_flags[1];
} mm_flags_t;

struct mm_struct___bitmap {
	mm_flags_t flags;
};

struct xarray {
	void *xa_head;
};

struct address_space {
	struct xarray i_pages;
};

struct file {
	struct address_space *f_mapping;
};

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	struct mm_struct *vm_mm;
	unsigned long vm_flags;
	struct file *vm_file;
};

struct task_struct {
	struct task_struct *group_leader;
	unsigned long long start_boottime;
};

typedef struct {
	int counter;
} atomic_t;

/* Read words by: any structure that begins with one and is in every kernel would do. */
struct cpumask {
	unsigned long bits[1];
};

struct page {
	unsigned long compound_head;
	atomic_t _mapcount;
	atomic_t _refcount;
};

/* Since 7.1 compound_head has this name. */
struct page___info {
	unsigned long compound_info;
};

/* Since 6.10 or so the mappings of all of a large folio's pages are counted in one place. */
struct folio {
	void *mapping;
	unsigned long _flags_1;
	atomic_t _large_mapcount;
	atomic_t _pincount;
};

struct bpf_iter_meta {
	void *seq;
};

struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};

enum pageflags {
	PG_head,
	PG_lru,
	PG_referenced,
	PG_workingset,
	PG_young,
	PG_swapcache,
	PG_swapbacked,
	PG_private,
};

#pragma clang attribute pop

#endif
