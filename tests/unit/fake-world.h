/* SPDX-License-Identifier: MIT */
/* A world for session tests: one kind of target, one sensor, a monitor that plays a script, and a clock the test moves.
 */
#ifndef TESTS_FAKE_WORLD_H
#define TESTS_FAKE_WORLD_H

#include <tidemark/session.h>

#define FAKE_MAX_STEPS 16

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
	int pidfds[4];     /* eventfds; write 8 bytes to one and its target has exited */
	int nr_opened;     /* targets opened in all */
	uint64_t armed_ns; /* the timer */
};

extern struct fake_world fake;

/* An empty world, and system calls that go through it. */
void fake_begin(void);
/* The system's calls again. */
void fake_end(void);
/* The target with that index has exited. */
void fake_exit(int index);
/* Descriptors open in this process. */
int fake_count_fds(void);

#endif
