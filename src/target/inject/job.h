/* SPDX-License-Identifier: MIT */
/*
 * One run, as its files share it. Everything lies in memory that exists before the helper does: the helper is a copy of
 * a process whose other threads may hold any lock, so it must not allocate, and makes no sentences.
 */
#ifndef TARGET_INJECT_JOB_H
#define TARGET_INJECT_JOB_H

#include "base/vec.h"
#include "target/inject/arch.h"
#include "target/inject/inject.h"
#include "target/target.h"

/* What went wrong. `code` is a negative errno; `tid` the thread it is about; `other` and `name` who is in the way. */
enum trouble {
	TROUBLE_NONE,
	TROUBLE_GONE,
	TROUBLE_REPLACED,    /* executed another program meanwhile */
	TROUBLE_DENIED,      /* ptrace is not allowed */
	TROUBLE_TRACED,      /* by `other` */
	TROUBLE_UNSTOPPABLE, /* in time */
	TROUBLE_TASKS,       /* more threads than there was room for */
	TROUBLE_SECCOMP,     /* a filter, and no right to suspend it */
	TROUBLE_NO_SUSPEND,  /* a filter, and a kernel that cannot suspend it */
	TROUBLE_NO_THREAD,   /* none that could make a call */
	TROUBLE_NO_CODE,     /* what was found before the stop has changed */
	TROUBLE_CALL,        /* call `index` failed with `code` */
	TROUBLE_FETCH,       /* its descriptor could not be fetched */
	TROUBLE_PASS,        /* a descriptor could not be passed to it */
	TROUBLE_NO_SCRATCH,  /* there is no memory of its own to do that in */
	TROUBLE_ASTRAY,      /* the thread did something else than it was set to do */
	TROUBLE_CHANGED,     /* its registers are not as they were before */
	TROUBLE_SYSTEM,      /* `step` failed with `code` */
};

/* Of enum trouble TROUBLE_SYSTEM: at what. */
enum step {
	STEP_NONE,
	STEP_LIST,
	STEP_SEIZE,
	STEP_WAIT,
	STEP_REGISTERS,
	STEP_MEMORY,
	STEP_RESUME,
	STEP_RESTORE,
};

struct outcome {
	enum trouble trouble;
	enum step step;
	int code;
	pid_t tid;
	pid_t other;
	char name[PROCFS_NAME_SIZE];
	uint32_t index; /* of the call */
};

enum task_state {
	TASK_SEIZED, /* and told to stop */
	TASK_STOPPED,
	TASK_DEAD,
};

struct task {
	pid_t tid;
	pid_t pid;
	enum task_state state;
	bool is_native;
	bool in_call;
	uint64_t sp;
};

/* freeze.c: the tasks that are, or will be, held. */
struct freeze {
	struct task *tasks;
	size_t nr;
	size_t capacity;
	uint64_t since_ns;    /* the first was told to stop */
	VEC(pid_t) strangers; /* processes that shared nothing with the target before the stop; ascending */
};

enum {
	JOB_SCRATCH_BYTES = 256,
};

struct job {
	struct tide_target *target;
	int mem; /* of /proc/PID/mem */
	struct arch_code code;
	struct tide_range stack; /* the mapping [stack]; empty: none */
	struct freeze freeze;
	struct inject_call *calls;
	size_t nr_calls;
	struct inject_cost cost;
	struct outcome outcome;
	/* thread.c: the thread that makes the calls. */
	pid_t tid;
	bool at_event; /* it stands where the kernel restarts calls when it goes on */
	bool running;
	bool filtered;            /* by seccomp, suspended while we trace it */
	uint64_t window_since_ns; /* its registers are not its own, and nothing but us would put them back; 0: no */
	bool touched;             /* its registers, mask or memory may not be as they were */
	struct arch_regs before;  /* to be restored */
	struct arch_state state;  /* as it was */
	struct arch_state after;  /* to compare */
	uint64_t mask;            /* of blocked signals, as it was */
	uint64_t frame;           /* address of the signal frame; 0: none */
	uint64_t saved_at;        /* where frame and scratch lie, next to each other, */
	size_t saved_bytes;       /* and how much of it; 0: there is no room for either */
	uint64_t scratch;         /* JOB_SCRATCH_BYTES, for what calls read and write; 0: none */
	unsigned char image[ARCH_FRAME_MAX];                     /* the frame */
	unsigned char saved[ARCH_FRAME_MAX + JOB_SCRATCH_BYTES]; /* what was there before */
};

/* Notes the first trouble; later ones follow from it. Returns `code`. */
int job_trouble(struct job *job, enum trouble trouble, int code, pid_t tid);
int job_system(struct job *job, enum step step, int code, pid_t tid);

/* freeze.c. Does process `pid` share memory or descriptors with thread `tid`? Not, as far as we may know. */
bool freeze_is_shared(pid_t tid, pid_t pid);

/* Stops all threads of the target and all tasks that share its memory or descriptors. 0 or negative. */
int freeze_all(struct job *job);

/* Lets go everything that stands; what does not is let go by our exit. */
void freeze_end(struct job *job);

/* Time of each whole attempt at stopping, when all that is missing is a processor to run on until the stop. */
enum {
	FREEZE_TIMEOUT_NS = 2000000000,
};

/* What a stop of a traced task means. */
enum stop {
	STOP_EVENT,   /* PTRACE_EVENT_STOP: we asked, or the group was stopped */
	STOP_SYSCALL, /* at one end of a system call */
	STOP_SIGNAL,  /* about to get *signal */
	STOP_DEAD,
};

/* Waits for the next stop of `tid`, one of those that are held. An enum stop, -ETIMEDOUT, or -errno. */
int freeze_wait(struct job *job, pid_t tid, uint64_t timeout_ns, int *signal);

/* ptrace(2), tried again when it fails for no reason of the target's: for what must be put back. */
long freeze_insist(int request, pid_t tid, void *addr, void *data);

/* Many requests of ptrace(2) want a number where others want an address. */
static inline void *ptrace_number(uintptr_t number)
{
	return (void *)number; /* NOLINT(performance-no-int-to-ptr) */
}

/* choose.c. Sets job->tid. 0 or negative. */
int choose_thread(struct job *job);

/* Where the kernel would send a thread that was interrupted at `ip`: 0, nowhere; it is in no critical section. */
uint64_t choose_abort_address(const struct job *job, pid_t tid, uint64_t ip);

/* thread.c. Has the thread chosen and makes it ready; makes the calls; puts everything back. */
int thread_prepare(struct job *job);
void thread_restore(struct job *job);

/* calls.c. Fills in the results and the copies of descriptors. 0 when all were made and succeeded. */
int calls_make(struct job *job);

/* One call, which takes the filter's time into account. 0 and `*result`, or negative. */
int calls_make_one(struct job *job, long nr, const uint64_t args[6], long *result);

/* A copy of a descriptor of the process in question. It, or negative. */
int calls_fetch(struct job *job, int fd);

/* pass.c. Puts a copy of our descriptor `fd` into the target. 0 and its number there, or negative and nothing is left
 * there. */
int pass_descriptor(struct job *job, int fd, long *number);

/* Sets the thread's registers to a call; runs it to the end of that. 0 and `*result`, or negative. */
int thread_set_call(struct job *job, long nr, const uint64_t args[6]);
int thread_call(struct job *job, long *result);

/* inject.c. Runs in the helper, with all signals blocked, in a session of its own. Does not return. */
typedef void job_helper_fn(struct job *job, const int sockets[2]);

/* Clones the helper, which shall wait for and speak through sockets[1]. Its number, or negative. */
pid_t job_start_helper(struct job *job, job_helper_fn *help_with, const int sockets[2]);

enum {
	JOB_NR_ATTEMPTS = 4, /* at a target that is in vfork(2), waits for a device, or is traced for a moment */
};

/* plan.c: what is needed to stop it. 0 or negative with `err` filled. */
int plan_stop(struct job *job, struct tide_error *err);

/* plan.c: what can be found out before anything is stopped. 0 or negative with `err` filled. */
int plan_make(struct job *job, struct tide_error *err);
void plan_end(struct job *job);

/* say.c. After attempt number `nr`, from 0, what is in the way may pass; where it takes time, in `*pause_ns`. */
bool outcome_passes(const struct outcome *outcome, int nr, uint64_t *pause_ns);

/* The sentence. Returns a negative errno. */
int outcome_say(const struct job *job, const struct outcome *outcome, struct tide_error *err);

#endif
