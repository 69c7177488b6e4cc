/* SPDX-License-Identifier: MIT */
/*
 * This file installs a handler of SIGSEGV, and passes on what is not ours as the kernel would have.
 *
 * The program may install a handler of its own on top, which may call ours. Then ours can never be taken away: it stays
 * and passes on. When it is needed again, it cannot be put on top of the other either, which would call it, and be
 * called by it, for ever. So each installation has an entry and a predecessor of its own.
 *
 * In two things the program's handler is not called as by the kernel. SIGSEGV is not blocked in it, as the kernel would
 * end the process at a write to watched memory: who faults in his own handler is called again. And it runs on the
 * alternative stack, if the thread has one.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/procfs.h"
#include "kernel/sys.h"
#include "watch/mprotect.h"

enum {
	NR_LEVELS = 8,
	NR_LOOKS = 1000, /* for threads on their way to our handler */
};

struct level {
	struct sigaction before; /* written while nobody can call it */
	bool is_used;
	bool is_spent; /* `before` was to be called once only (SA_RESETHAND), and has been */
};

/* A handler cannot be told whose it is. */
static struct level levels[NR_LEVELS];
static struct level *installed; /* NULL: none is, or it was left where it was */
static relay_fn *handle;

/* As when there is no handler: the fault comes again, and ends the process. */
static void end_process(const siginfo_t *info)
{
	sys_signal_default(SIGSEGV);
	if (info->si_code <= 0) /* somebody sent it: it does not come again */
		sys_raise(SIGSEGV);
}

static void relay(struct level *level, int signal, siginfo_t *info, ucontext_t *context)
{
	const struct sigaction *before = &level->before;
	sigset_t mask;

	if (before->sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	if (before->sa_handler == SIG_IGN || before->sa_handler == SIG_DFL ||
	    (before->sa_flags & SA_RESETHAND && __atomic_exchange_n(&level->is_spent, true, __ATOMIC_SEQ_CST))) {
		end_process(info);
		return;
	}
	sigorset(&mask, &context->uc_sigmask, &before->sa_mask);
	sigdelset(&mask, SIGSEGV);
	sys_sigmask(&mask, NULL);
	if (before->sa_flags & SA_SIGINFO)
		before->sa_sigaction(signal, info, context);
	else
		before->sa_handler(signal);
}

static void on_signal(struct level *level, int signal, siginfo_t *info, void *context)
{
	int taken = sys_errno_take();
	bool is_ours = __atomic_load_n(&handle, __ATOMIC_SEQ_CST)(info, context);

	sys_errno_give_back(taken);
	if (!is_ours)
		relay(level, signal, info, context);
}

#define ENTRIES(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define ENTRY(n)                                                                                                       \
	static void on_signal_##n(int signal, siginfo_t *info, void *context)                                          \
	{                                                                                                              \
		on_signal(&levels[n], signal, info, context);                                                          \
	}
ENTRIES(ENTRY)

#define NAME(n) on_signal_##n,
static void (*const entries[NR_LEVELS])(int, siginfo_t *, void *) = { ENTRIES(NAME) };

static bool is_entry(const struct sigaction *action, size_t level)
{
	return action->sa_flags & SA_SIGINFO && action->sa_sigaction == entries[level];
}

/* All other signals wait: a handler of theirs that does not return would leave ours half done. SIGSEGV does not: ours
 * may write to memory that is watched, as any code may. */
static struct sigaction make_action(size_t level)
{
	struct sigaction action = {
		.sa_sigaction = entries[level],
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | (levels[level].before.sa_flags & SA_RESTART),
	};

	sigfillset(&action.sa_mask);
	sigdelset(&action.sa_mask, SIGSEGV);
	return action;
}

int relay_install(relay_fn *fn, struct tide_error *err)
{
	struct sigaction now = { 0 }, action;
	sigset_t blocked;
	size_t level = 0;
	int result;

	sigemptyset(&blocked);
	result = sys_sigmask(NULL, &blocked);
	if (result == 0 && sigismember(&blocked, SIGSEGV))
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "this thread blocks SIGSEGV, and would be ended at its first write to watched memory: "
		                 "unblock it in all threads");
	if (result == 0)
		result = sys_sigaction(SIGSEGV, NULL, &now);
	if (result < 0)
		return error_system(err, result, "cannot ask for the handler of SIGSEGV");
	for (size_t i = 0; i < NR_LEVELS; i++)
		if (levels[i].is_used && is_entry(&now, i)) { /* for another watch, or left */
			installed = &levels[i];
			return 0;
		}
	while (level < NR_LEVELS && levels[level].is_used)
		level++;
	if (level == NR_LEVELS)
		return error_set(err, TIDE_CAUSE_BUSY, -EBUSY,
		                 "too often, somebody has put a handler of SIGSEGV on top of ours: nobody can tell "
		                 "whether it calls it");
	__atomic_store_n(&handle, fn, __ATOMIC_SEQ_CST);
	levels[level] = (struct level){ .before = now, .is_used = true };
	action = make_action(level);
	result = sys_sigaction(SIGSEGV, &action, NULL);
	if (result < 0) {
		levels[level].is_used = false;
		return error_system(err, result, "cannot install a handler of SIGSEGV");
	}
	installed = &levels[level];
	return 0;
}

static int is_coming(void *dir, pid_t tid)
{
	int result = procfs_has_pending(*(int *)dir, tid, SIGSEGV);

	return result == -ESRCH ? 0 : result;
}

/*
 * Who faulted just before the last page was given back is on its way to the handler. On a busy machine it may be so for
 * long: then what was there before us would get the signal.
 */
static bool has_nobody_coming(void)
{
	scope_sys_fd int dir = procfs_open(getpid());
	int result = 1;

	for (int i = 0; i < NR_LOOKS && dir >= 0 && result > 0; i++) {
		sys_yield();
		result = procfs_each_thread(dir, is_coming, &dir);
	}
	return result == 0;
}

void relay_remove(void)
{
	struct sigaction now = { 0 };

	if (installed != NULL && sys_sigaction(SIGSEGV, NULL, &now) == 0 &&
	    is_entry(&now, (size_t)(installed - levels)) && has_nobody_coming() &&
	    sys_sigaction(SIGSEGV, &installed->before, NULL) == 0)
		installed->is_used = false;
	installed = NULL;
}
