/* SPDX-License-Identifier: MIT */
/* This file chooses the thread that makes the calls. */
#include "target/inject/job.h"

#include <errno.h>
#include <sys/ptrace.h>

#include "kernel/sys.h"

enum {
	/* What Debian 12's headers do not have yet. */
	GET_SYSCALL_USER_DISPATCH = 0x4211,
};

/* struct rseq_cs of the kernel. */
struct critical_section {
	uint32_t version;
	uint32_t flags;
	uint64_t start_ip;
	uint64_t length;
	uint64_t abort_ip;
};

uint64_t choose_abort_address(const struct job *job, pid_t tid, uint64_t ip)
{
	struct __ptrace_rseq_configuration config;
	struct critical_section section;
	uint64_t at = 0;
	long result = sys_ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid, ptrace_number(sizeof(config)), &config);

	/* The address of the section follows two numbers of the processor. */
	if (result < 0 || config.rseq_abi_pointer == 0 ||
	    sys_pread(job->mem, &at, sizeof(at), (off_t)(config.rseq_abi_pointer + 8)) != sizeof(at) || at == 0 ||
	    sys_pread(job->mem, &section, sizeof(section), (off_t)at) != sizeof(section))
		return 0;
	return ip - section.start_ip < section.length ? section.abort_ip : 0;
}

/* Its calls are turned into signals (prctl(2), PR_SET_SYSCALL_USER_DISPATCH). */
static bool calls_are_diverted(pid_t tid)
{
	struct {
		uint64_t mode, selector, offset, length;
	} config = { 0 };

	/* Kernels before 6.4 cannot say. */
	return sys_ptrace(GET_SYSCALL_USER_DISPATCH, tid, ptrace_number(sizeof(config)), &config) >= 0 &&
	       config.mode != 0;
}

/* The higher, the less there is to be put right again. */
static int rank(const struct job *job, const struct task *task)
{
	struct arch_regs regs;

	if (task->state != TASK_STOPPED || task->pid != job->target->pid || !task->is_native ||
	    calls_are_diverted(task->tid))
		return 0;
	if (task->in_call)
		return 2;
	if (arch_regs_read(task->tid, &regs) < 0)
		return 0;
	return choose_abort_address(job, task->tid, arch_ip(&regs)) == 0 ? 3 : 1;
}

int choose_thread(struct job *job)
{
	int best = 0;

	for (size_t i = 0; i < job->freeze.nr && best < 3; i++) {
		int now = rank(job, &job->freeze.tasks[i]);

		if (now > best) {
			best = now;
			job->tid = job->freeze.tasks[i].tid;
		}
	}
	return best > 0 ? 0 : job_trouble(job, TROUBLE_NO_THREAD, -EOPNOTSUPP, 0);
}
