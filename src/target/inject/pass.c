/* SPDX-License-Identifier: MIT */
/*
 * This file passes a descriptor of ours into the target.
 *
 * The target makes a pair of sockets; we fetch one end, send the descriptor to it, and have the target receive it at
 * the other. Whoever kills the helper meanwhile leaves these three there, closed by the next exec, and nobody sends or
 * receives at them.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kernel/sys.h"
#include "target/inject/job.h"

enum {
	NR_TRIES = 4,
};

/* What the target's call reads and writes, in its own memory. */
struct letter {
	int ends[2];
	struct msghdr message;
	struct iovec vector;
	char byte;
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
};

_Static_assert(sizeof(struct letter) <= JOB_SCRATCH_BYTES, "it must fit");

static int put(struct job *job, const struct letter *letter)
{
	ssize_t size = sys_pwrite(job->mem, letter, sizeof(*letter), (off_t)job->scratch);

	return size == sizeof(*letter) ? 0 : job_system(job, STEP_MEMORY, size < 0 ? (int)size : -EFAULT, job->tid);
}

/* What it opened must be known, to be closed. */
static int get(struct job *job, struct letter *letter)
{
	ssize_t size = -EIO;

	for (int tries = 0; tries < NR_TRIES && size != sizeof(*letter) && size != -ESRCH; tries++)
		size = sys_pread(job->mem, letter, sizeof(*letter), (off_t)job->scratch);

	return size == sizeof(*letter) ? 0 : job_system(job, STEP_MEMORY, size < 0 ? (int)size : -EFAULT, job->tid);
}

/* 0 or negative, also when the call was made and failed. */
static int call(struct job *job, long nr, uint64_t one, uint64_t two, uint64_t three, uint64_t four, long *result)
{
	const uint64_t args[6] = { one, two, three, four };
	int made = calls_make_one(job, nr, args, result);

	if (made < 0)
		return made;
	return *result < 0 && *result >= -4095 ? job_trouble(job, TROUBLE_PASS, (int)*result, job->tid) : 0;
}

static void close_there(struct job *job, int fd)
{
	const uint64_t args[6] = { (uint64_t)fd };
	long result;

	calls_make_one(job, arch_close_number(), args, &result);
}

static int send_to(struct job *job, int socket, int fd)
{
	struct letter letter = { .byte = 1 };
	struct msghdr message = {
		.msg_iov = &letter.vector,
		.msg_iovlen = 1,
		.msg_control = &letter.control,
		.msg_controllen = sizeof(letter.control),
	};
	ssize_t sent;

	letter.vector = (struct iovec){ &letter.byte, 1 };
	letter.control.header = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&letter.control.header), &fd, sizeof(fd));
	sent = sys_sendmsg(socket, &message);
	return sent < 0 ? job_trouble(job, TROUBLE_PASS, (int)sent, job->tid) : 0;
}

/* The target receives at its end what was sent to it. */
static int receive(struct job *job, int end, long *number)
{
	uint64_t at = job->scratch;
	struct letter letter = { .byte = 0 };
	long result;
	int fd, made;

	letter.vector = (struct iovec){ (void *)(uintptr_t)(at + offsetof(struct letter, byte)), 1 }; /* NOLINT */
	letter.message = (struct msghdr){
		.msg_iov = (void *)(uintptr_t)(at + offsetof(struct letter, vector)), /* NOLINT */
		.msg_iovlen = 1,
		.msg_control = (void *)(uintptr_t)(at + offsetof(struct letter, control)), /* NOLINT */
		.msg_controllen = sizeof(letter.control),
	};
	made = put(job, &letter);
	if (made == 0)
		made = call(job, SYS_recvmsg, (uint64_t)end, at + offsetof(struct letter, message),
		            MSG_CMSG_CLOEXEC | MSG_DONTWAIT, 0, &result);
	if (made == 0)
		made = get(job, &letter);
	if (made < 0)
		return made;
	memcpy(&fd, CMSG_DATA(&letter.control.header), sizeof(fd));
	/* There was no room for it in the target's table. */
	if (letter.message.msg_controllen < CMSG_LEN(sizeof(int)))
		return job_trouble(job, TROUBLE_PASS, -EMFILE, job->tid);
	*number = fd;
	return 0;
}

int pass_descriptor(struct job *job, int fd, long *number)
{
	struct letter letter = { .byte = 0 };
	long result;
	int ours, made;

	if (job->scratch == 0)
		return job_trouble(job, TROUBLE_NO_SCRATCH, -EOPNOTSUPP, job->tid);
	made = call(job, SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
	            job->scratch + offsetof(struct letter, ends), &result);
	if (made < 0)
		return made;
	made = get(job, &letter);
	if (made < 0)
		return made;
	ours = calls_fetch(job, letter.ends[1]);
	made = ours < 0 ? job_trouble(job, TROUBLE_FETCH, ours, job->tid) : send_to(job, ours, fd);
	if (made == 0)
		made = receive(job, letter.ends[0], number);
	sys_close(ours);
	close_there(job, letter.ends[1]);
	close_there(job, letter.ends[0]);
	return made;
}
