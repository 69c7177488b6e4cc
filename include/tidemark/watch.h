/* SPDX-License-Identifier: MIT */
/*
 * Which pages were written since one last asked: in one's own process, or in another that need not cooperate.
 *
 * There are four backends. uffd_async is taken where it works; what is said below without naming one is about it.
 *
 * uffd_async rests on userfaultfd's asynchronous write protection and PAGEMAP_SCAN (Linux 6.7;
 * Documentation/admin-guide/mm/userfaultfd.rst and pagemap.rst). The kernel notes a write by lifting the protection of
 * its page; a collect reads and renews it in one atomic step, so no write falls between two collects. No writer ever
 * waits. What cannot be known exactly is reported all the same, with a certainty below "exact".
 *
 * uffd_log rests on userfaultfd's synchronous write protection (Linux 6.7 for what it needs), for another process.
 * Whoever first writes a page, or a piece of `granularity_bytes`, waits until it has been listed, about 10 us; a
 * collect takes the list, and costs what was written, not what is mapped. The list is bounded; a writer that finds it
 * full waits until it is collected, but no longer than `max_stall_ns`: then it goes on, and all that is listed is
 * `over` (why: overflow) in this epoch. Two helpers keep the list, clones of the calling process that share its memory
 * as fork() does (what it changes while it watches is there more than once): whoever is stopped, hangs or is killed,
 * writers go on. While KSM is at work on the machine, all that is listed is looked at in each epoch, too. Listed is
 * large private anonymous memory (64 KiB); the rest of the process is tracked by uffd_async beside it: files, shared
 * memory, stacks of threads, what KSM merges. tide_watch_switch() changes that. Costs the target more than uffd_async:
 * writes through /proc/PID/mem and PTRACE_POKEDATA fail with EIO where a page waits to be written, and MADV_DONTNEED
 * waits until it is heard. With a thread that exits while its descriptor lies in listed memory (on a stack of the
 * program's own making), or holds a robust mutex there, those who wait for it may wait for ever.
 *
 * soft_dirty rests on soft-dirty bits (CONFIG_MEM_SOFT_DIRTY; soft-dirty.rst there), which Linux 6.1 has, too. At the
 * beginning of each epoch the process stands still while its bits are read and cleared: some 10 ms for each GiB
 * (`stopped_ns`). Nothing is exact: written pages are `over` (why: soft). One's own process cannot be watched by it.
 * There is one bit for each page: who else reads and clears them (checkpointers) misses what we clear, and we what they
 * do; nobody can give bits back to another process. What it takes along of ranges that are not collected yet is kept.
 * Pages that were given up are reported in each epoch until they are there again. Not tracked, hence always `over`:
 * hugetlb mappings, and those that KSM may merge; epochs in which it was at work are blind to "merged". Lost, before
 * Linux 6.19: a move of page tables (mremap of whole 2 MiB) onto memory that was there, if the kernel makes one mapping
 * of what was moved and its new neighbour.
 *
 * mprotect rests on nothing but mprotect(2): for one's own process, in given ranges, where userfaultfd is not to be
 * had. Whoever first writes a page comes to a handler of SIGSEGV, some microseconds; what is not ours is passed on to
 * the handler that was there before. Who installs one later passes on to ours; no thread may block SIGSEGV; and stacks,
 * of signals, too, must not lie in the ranges, now or later. System calls that write into protected memory (read(2)
 * into it) fail with EFAULT, ours into our own heap, too: write a byte of each page first, or use uffd_async. Not seen
 * is what the program gives up (MADV_DONTNEED), moves or protects itself; what it moves out of the ranges (mremap,
 * realloc) stays protected, and what it makes read-only may become writable at a write. Written pages among others are
 * mappings: with more than a quarter of vm.max_map_count of them, their whole range is `over` (why: bound). After
 * fork() the child goes on unharmed, and is not watched.
 *
 *     tide_target_open(&target, pid, &err);
 *     tide_watch_open(&watch, target, NULL, &err);
 *     for (;;) {
 *             sleep(1);
 *             while ((nr = tide_watch_collect(watch, runs, 256, &err)) > 0)
 *                     ... runs[0 .. nr) ...
 *             tide_watch_epoch(watch, &epoch);
 *     }
 *
 * Threads: one at a time may use a watch and its target; different watches may be used at the same time.
 */
#ifndef TIDEMARK_WATCH_H
#define TIDEMARK_WATCH_H

#include <tidemark/target.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tide_watch;

/* How sure a written run is; the strongest that holds, in rising order. */
enum tide_certainty {
	TIDE_EXACT = 0, /* its pages were written in this epoch; given up, come anew, or merged by KSM counts as that */
	TIDE_OVER,      /* may not have been written, `why` says why it cannot be told */
	TIDE_LOST,      /* was freed before it was copied */
	TIDE_TORN,      /* was written again while it was copied (tide_watch_copy) */
	TIDE_PINNED,    /* a device may have written it, and may write it at any time */
};

/* Why a run is not exact: identifier, name in reports, sentence. */
#define TIDE_WHYS(X)                                                                                                   \
	X(NONE, "", "exact")                                                                                           \
	X(NEW, "new", "its mapping, or its page table, was not there or not armed at the last collect")                \
	X(HUGE, "huge", "it appeared as part of a huge page, of which only some bytes may have been written")          \
	X(SHARED, "shared", "it is shared: others may write it through another mapping or a descriptor")               \
	X(REFUSED, "refused", "the kernel does not track writes to this kind of mapping")                              \
	X(ERROR, "error", "the kernel's answer was cut short by an error, and writes before it are forgotten")         \
	X(BOUND, "bound", "tracking it would need more mappings, page tables or time than the bound allows")           \
	X(FREED, "freed", "a private copy was given up, and the file's contents are back, or it cannot be told")       \
	X(PIN, "pin", "it is pinned for a device, or was so at the last collect")                                      \
	X(REFERENCE, "reference", "somebody holds a reference that may be an unpinned direct access")                  \
	X(SOFT, "soft", "the kernel marks pages also when it moves them or brings them back")                          \
	X(REUSED, "reused", "its mapping is new, or was merged with a new one: the kernel marks all of it then")       \
	X(ABSENT, "absent", "it was given up and is not there: a page that comes and goes again leaves no mark")       \
	X(OVERFLOW, "overflow", "more was written than the list holds, and writers wait no longer than allowed")

enum tide_why {
#define TIDE_WHY_ENUM(id, name, sentence) TIDE_WHY_##id,
	TIDE_WHYS(TIDE_WHY_ENUM)
#undef TIDE_WHY_ENUM
	        TIDE_NR_WHYS
};

/* Names and sentences; static storage, never NULL. */
TIDE_EXPORT const char *tide_certainty_name(enum tide_certainty certainty);
TIDE_EXPORT const char *tide_why_name(enum tide_why why);
TIDE_EXPORT const char *tide_why_sentence(enum tide_why why);

/* A run of whole pages, [start, end). */
struct tide_run {
	uint64_t start;
	uint64_t end;
	uint32_t certainty; /* enum tide_certainty */
	uint32_t why;       /* enum tide_why */
};

/* What an epoch could not see at all, for want of privileges or by choice. */
enum tide_blind {
	TIDE_BLIND_DEVICE_WRITES = 1 << 0, /* writes of devices into pinned pages */
	TIDE_BLIND_REFERENCES = 1 << 1,    /* direct I/O through plain references (file systems that do not pin) */
	/* Soft-dirty only: */
	TIDE_BLIND_OTHERS =
	        1 << 2, /* other processes' writes (process_vm_writev, /proc/PID/mem) just at its beginning */
	TIDE_BLIND_REUSED = 1 << 3, /* reused mappings were left out (tide_reused_walker), and there were some */
	TIDE_BLIND_MERGED = 1 << 6, /* what KSM merged, and was taken apart, since the last epoch */
	/* uffd_log only: */
	TIDE_BLIND_GUARDS = 1 << 4, /* memory made a guard region, and back again (MADV_GUARD_INSTALL, Linux 6.13) */
	/* mprotect only: */
	TIDE_BLIND_GIVEN_UP = 1 << 5, /* memory that the program gives up (MADV_DONTNEED), moves or protects itself */
};

/* "device-writes", "references", "others", "reused", "merged", "guards", "given-up"; NULL for anything but one bit of
 * the enum. */
TIDE_EXPORT const char *tide_blind_name(unsigned bit);

/* The time between two collects, as of the last call of tide_watch_collect that returned 0. */
struct tide_epoch {
	uint64_t number;        /* 1 for the first */
	uint64_t written_bytes; /* all runs */
	uint64_t over_bytes;    /* of it: TIDE_OVER */
	uint64_t pinned_bytes;  /* of it: TIDE_PINNED */
	uint32_t blind;         /* enum tide_blind */
	uint32_t nr_mappings;   /* watched */
	uint64_t watched_bytes; /* mapped and asked for */
	uint64_t armed_bytes;   /* of it: write-protected or written, page by page; the rest has no page tables */
	uint64_t cost_ns;       /* spent in the collect's calls */
	uint64_t nr_calls;      /* system calls on the target's memory */
	uint64_t nr_looked;     /* pages looked at for pins */
	/* Since tide_watch_open: */
	uint64_t huge_lost_bytes; /* huge pages that are mapped by base pages now; some go back at close */
	uint64_t table_bytes;     /* page tables that arming made, at most */
	uint64_t stopped_ns;      /* the target stood still for us; 0 for one's own process */
	/* Of uffd_log, else 0: */
	uint64_t listed_bytes; /* of watched_bytes, or more: mapped and tracked by the list, the rest by uffd_async */
	/* ... since tide_watch_open: */
	uint64_t nr_faults;        /* writes that waited until they were listed */
	uint64_t longest_stall_ns; /* of these, as the one who lets them go sees it */
	uint64_t throttled_ns;     /* they waited, all of them together, while `throttle_bytes_per_s` was set */
};

/*
 * How pages pinned for devices are found. `walker`: by the folios' own counts (CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN).
 * `fdinfo`: what io_uring says of its registered buffers, without privileges; other pins are blind.
 */
struct tide_pins_ops;
TIDE_EXPORT const struct tide_pins_ops *tide_pins_walker(void);
TIDE_EXPORT const struct tide_pins_ops *tide_pins_fdinfo(void);

/*
 * What soft_dirty says of reused mappings: new ones, and those that were merged with a new one. The kernel marks all of
 * such a mapping (VM_SOFTDIRTY), whose clean pages then look written. By default all its pages that are there are
 * reported (why: reused): "include". With tide_reused_walker() only those that have a mark of their own in the page
 * tables, and those that have appeared or gone since: "exclude". That may miss writes, as pages' own marks can lie
 * there: a clean page that became writable again while its mapping was marked (mprotect to read-only and back) is
 * written without one. So epochs in which something was left out are blind to "reused". Needs what the page-table
 * walker does (CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN).
 */
struct tide_reused_ops;
TIDE_EXPORT const struct tide_reused_ops *tide_reused_walker(void);

struct tide_watch_opts {
	size_t size; /* sizeof(struct tide_watch_opts) */
	/* Watch these only; NULL, 0: all that is mapped, now and later. Copied. */
	const struct tide_range *ranges;
	size_t nr_ranges;
	/*
	 * NULL: tide_watch does not look for pins, and every epoch says so. A program that wants it names one, and is
	 * linked with what it needs: write tracking alone does not pull in BPF.
	 */
	const struct tide_pins_ops *pins;
	/*
	 * Arm the given ranges also where nothing is populated, so that first touches are exact there, too. Costs page
	 * tables: 2 MiB for each GiB. Only with `ranges`.
	 */
	uint32_t arm_holes;
	/*
	 * When somebody else watches the target and serves others, be served by it, with its means and in its ranges:
	 * collect, epoch and layout work, the rest is refused. The first epoch begins at the return, as always.
	 */
	uint32_t shared;
	uint64_t max_table_bytes; /* page tables that arming may add; 0: 64 MiB. Beyond it memory is `over` */
	/* The rest may be missing in a struct of programs built before it was there: then it is all zero. */
	/* "uffd_async", "uffd_log", "soft_dirty", "mprotect"; NULL: the best that works here of 1 and 3. */
	const char *backend;
	const struct tide_reused_ops *reused; /* NULL: include. With soft_dirty only */
	/* With uffd_log only: */
	uint64_t granularity_bytes;    /* of what is listed, a power of two, 4 KiB (0) to 2 MiB: then huge pages stay */
	uint64_t max_stall_ns;         /* no writer waits for longer; an hour at most; 0: 100 ms */
	uint64_t throttle_bytes_per_s; /* listed memory is first written no faster than that; 0: no limit */
	uint64_t max_listed;           /* pieces that the list holds until it is collected, 64 or more; 0: 131,072 */
};

/*
 * Starts to watch. Another process is stopped for a millisecond or so while a descriptor is made inside it (see
 * docs/design/003-injection.md); nothing else in it changes but that its populated memory is write-protected and huge
 * pages are mapped by base pages when they are written. `target` outlives the watch and must not be used otherwise
 * meanwhile, except through the pointers it has given. What is written after the return is reported by the first
 * collect. Who begins with a copy of everything makes it between the two, and drops from it what is not present after
 * the first collect: memory that was not there at the open, and came and went again before the collect, leaves no
 * trace. `opts` (NULL: all defaults) is copied.
 *
 * Errors: UNSUPPORTED no backend works here, or not the one that was named; BUSY the process already uses userfaultfd
 * (uffd_async), or is traced; DENIED not ours to trace; GONE; USAGE; LIMIT. Needs no privilege for one's own process;
 * for another one those of ptrace(2).
 */
TIDE_EXPORT TIDE_MUST_USE int tide_watch_open(struct tide_watch **out, struct tide_target *target,
                                              const struct tide_watch_opts *opts, struct tide_error *err);

/*
 * From now on what is mapped in [start, end), whole pages, mapping by mapping, is tracked by `backend`: "uffd_log", as
 * far as that can (see above), or "uffd_async". Only for a watch that was opened with uffd_log, where it can be called
 * at any time, between epochs or within one; no write is lost by it. The process stands still meanwhile: a millisecond,
 * and some 20 ms for each GiB that is changed (`stopped_ns`). Returns 0 or negative: USAGE; BUSY, DENIED it cannot be
 * stopped now; GONE; SYSTEM: then nothing, or a part, was changed, and what it may have forgotten is `over`.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_watch_switch(struct tide_watch *watch, uint64_t start, uint64_t end,
                                                const char *backend, struct tide_error *err);

/*
 * A share of a watch: an epoch of one's own, at one's own pace. What the tracker finds when one consumer collects is
 * kept for the others until they do (24 MiB for each at most; beyond it, a consumer gets all memory as `over`, why:
 * bound). tide_watch_collect() goes on to be the consumer that it was. What is written after the return is reported by
 * the first collect. While there are others, tide_watch_get() is refused. Consumers end with their watch. Errors and
 * the rule for threads are those of tide_watch_collect(); a consumer counts as its watch.
 */
struct tide_consumer;
TIDE_EXPORT TIDE_MUST_USE int tide_consumer_open(struct tide_consumer **out, struct tide_watch *watch,
                                                 struct tide_error *err);
TIDE_EXPORT void tide_consumer_close(struct tide_consumer *consumer); /* NULL is fine */

/* As tide_watch_collect() and tide_watch_epoch(); costs are those of the epochs that this consumer began. */
TIDE_EXPORT TIDE_MUST_USE long tide_consumer_collect(struct tide_consumer *consumer, struct tide_run *runs, size_t max,
                                                     struct tide_error *err);
TIDE_EXPORT void tide_consumer_epoch(const struct tide_consumer *consumer, struct tide_epoch *out);

/*
 * Serves other processes of the same user, or root's, that want to watch the target, each as a consumer, over a socket
 * (in the abstract namespace of Unix sockets: nothing is left behind; who may is told by the credentials that the
 * kernel gives). When the descriptor from tide_watch_fd() is readable, tide_watch_step() does what there is to do, and
 * does not wait for anybody; a collect of theirs takes its time here. BUSY: somebody serves it already; SYSTEM.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_watch_serve(struct tide_watch *watch, struct tide_error *err);
TIDE_EXPORT int tide_watch_fd(const struct tide_watch *watch); /* -1: it does not serve */
TIDE_EXPORT void tide_watch_step(struct tide_watch *watch);

/* The process that watches for this one (opts.shared); 0: this one does. */
TIDE_EXPORT pid_t tide_watch_holder(const struct tide_watch *watch);

/* The name of the backend in use. */
TIDE_EXPORT const char *tide_watch_backend(const struct tide_watch *watch);

/*
 * Lifts all protection in small steps, and maps huge pages again that became base pages, as far as the kernel
 * agrees. Accepts NULL. If this process is killed instead, the kernel lifts the protection at once (about 10 ms of the
 * target's time for each GiB), and huge pages stay split.
 */
TIDE_EXPORT void tide_watch_close(struct tide_watch *watch);

/*
 * Gets what was written since the last collect, and begins to watch it anew, atomically for each page. Ascending runs
 * that do not overlap, at most `max` of them (at least 8); call it until it returns 0: then the epoch has ended, and
 * the next call begins the next one. A page that is written between two of these calls is reported in this epoch, in
 * the next, or in both. Contents may be read as soon as a run was returned: any write after that is reported again.
 * Memory that is not mapped any more is not reported: tide_watch_layout tells what is.
 *
 * Returns the number of runs, 0 at the end of the epoch, or negative: GONE the process has exited or executed another
 * program; SYSTEM; with soft_dirty BUSY and DENIED, too: it cannot be stopped now. After an error that is not GONE the
 * next call goes on, and what may have been forgotten is `over`.
 */
TIDE_EXPORT TIDE_MUST_USE long tide_watch_collect(struct tide_watch *watch, struct tide_run *runs, size_t max,
                                                  struct tide_error *err);

/* Describes the last complete epoch; zeros before it. */
TIDE_EXPORT void tide_watch_epoch(const struct tide_watch *watch, struct tide_epoch *out);

/* The target's mappings as of the last collect or get. Valid until the next. */
TIDE_EXPORT const struct tide_layout *tide_watch_layout(const struct tide_watch *watch);

/*
 * Copies the contents of [start, end), whole pages, into `buf`, and says page by page in `certainty` (one byte a page,
 * enum tide_certainty, may be NULL) how good the copy is: EXACT; TORN when the page was written again since the last
 * collect (it will be reported by the next); LOST when it is not mapped, or was given up since; PINNED when a device
 * may have written it; OVER where there is no page yet, but a file behind it, which is not read, and where it may have
 * been written unseen. Does not touch pages that are not there: they are zeros in `buf`. Mappings are those of the last
 * collect or get. Returns 0 or negative: GONE, USAGE, SYSTEM.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_watch_copy(struct tide_watch *watch, uint64_t start, uint64_t end, void *buf,
                                              uint8_t *certainty, struct tide_error *err);

enum tide_get_flags {
	TIDE_GET_RESET = 1 << 0, /* begin to watch the returned pages anew */
};

/*
 * The addresses of written pages in [start, end), as GetWriteWatch does: at most *count of them into `addresses`,
 * ascending; *count is set to their number, *granularity (may be NULL) to the page size. With TIDE_GET_RESET the
 * returned pages, and only those, are watched anew. Pages that are `over` or pinned are returned as well. Does not end
 * an epoch, and takes away from it what it resets. With soft_dirty TIDE_GET_RESET stops the target. Returns 0, or 1
 * when there may be more, or negative as collect does.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_watch_get(struct tide_watch *watch, unsigned flags, uint64_t start, uint64_t end,
                                             uint64_t *addresses, size_t *count, uint64_t *granularity,
                                             struct tide_error *err);

#ifdef __cplusplus
}
#endif
#endif
