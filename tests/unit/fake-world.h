/* SPDX-License-Identifier: MIT */
/* A world for session tests: one kind of target, one sensor, a monitor that plays a script, and a clock the test moves.
 */
#ifndef TESTS_FAKE_WORLD_H
#define TESTS_FAKE_WORLD_H

#include <tidemark/session.h>

#define FAKE_MAX_STEPS     16
#define FAKE_MAX_TARGETS   1100
#define FAKE_MAX_PROCESSES 2000

/* A process that can be a target; number 0: nobody has it. */
struct fake_process {
	pid_t pid;
	pid_t ppid;
	unsigned program; /* another one: it executed something */
	int refusal;      /* of those that open it; -ESRCH: it has just gone */
	pid_t becomes_of; /* its parent by the time that it is opened; 0: the same */
};

/* What the monitor's next step does. */
struct fake_step {
	bool sample;       /* a sample although result is negative */
	int result;        /* 1 a sample, 0 none, negative an error */
	uint64_t next_ns;  /* when it wants to be called again */
	uint64_t end_ns;   /* end of the sample */
	uint64_t spent_ns; /* processor time it takes */
};

struct fake_world {
	/* Set by the test. */
	uint64_t now_ns;
	uint64_t cpu_ns;
	int choose_result; /* negative: no sensor works here */
	int open_result;   /* of the monitor */
	int target_result;
	int init_result;
	int init_writes_result; /* of the sensor that tells writes */
	int choose_writes_result;
	int add_result;
	uint32_t sensor_flags;
	int bound_result;
	struct fake_step steps[FAKE_MAX_STEPS];
	int fail_call; /* this system call, counted from 1, fails with EMFILE; 0: none */
	/* Read by the test. */
	struct tide_monitor_opts opts; /* of the monitor, completed */
	uint64_t max_stall_us;         /* that the sensor was told */
	int nr_calls;                  /* system calls made */
	size_t nr_steps;
	int nr_targets; /* open now */
	int nr_states;  /* initialised and not cleaned up now */
	int nr_monitors;
	int nr_with_writes;           /* targets whose writes are asked for, in all */
	int pidfds[FAKE_MAX_TARGETS]; /* eventfds; write 8 bytes to one and its target has exited */
	pid_t pids[FAKE_MAX_TARGETS];
	/* None: any number is a process. */
	struct fake_process processes[FAKE_MAX_PROCESSES];
	int nr_processes;
	int has_lists;           /* of children; else all processes are looked at */
	uint64_t look_cpu_ns;    /* what a look at all of them takes */
	int nr_opened;           /* targets opened in all */
	int nr_retired;          /* of those */
	int nr_ended;            /* in the monitor, by the session */
	int nr_tries;            /* to open a process */
	uint64_t open_ns;        /* what that takes */
	int nr_looks;            /* at all processes */
	uint64_t aggregation_us; /* in use; 0: that of the options */
	uint64_t armed_ns;       /* the timer */
};

extern struct fake_world fake;

/* An empty world, and system calls that go through it. */
void fake_begin(void);
/* The system's calls again. */
void fake_end(void);
/* A process that was started by another; may be started while a session runs. */
struct fake_process *fake_process(pid_t pid, pid_t ppid);
/* It exits; its children become those of process 1. */
void fake_process_exit(pid_t pid);
/* The target with that index has exited. */
void fake_exit(int index);
/* Descriptors open in this process. */
int fake_count_fds(void);

#endif
