/* SPDX-License-Identifier: MIT */
/*
 * This file gets a userfaultfd for a target's memory.
 *
 * A userfaultfd belongs to the memory of the process that makes it. For another process it is therefore made inside of
 * it and brought here; it needs no privilege there, as with the asynchronous features the target's own system calls
 * never wait for anybody.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "kernel/uffd.h"
#include "target/inject/inject.h"
#include "target/target.h"

enum {
	FD_LINK_SIZE = 64,
};

static int find_userfaultfd(void *arg, pid_t number)
{
	struct tide_target *target = arg;
	char path[32], link[FD_LINK_SIZE];
	ssize_t size;

	snprintf(path, sizeof(path), "fd/%d", number);
	size = sys_readlinkat(target_procfs(target), path, link, sizeof(link) - 1);
	if (size < 0)
		return 0; /* closed since the listing */
	link[size] = '\0';
	return strcmp(link, "anon_inode:[userfaultfd]") == 0 ? 1 + number : 0;
}

/* Memory can have one userfaultfd only: that of a checkpointer or a hypervisor would be in our way, and we in its. */
static int refuse_other_users(struct tide_target *target, struct tide_error *err)
{
	pid_t tid;
	int found = target_live_thread(target, &tid, err);

	if (found < 0)
		return found;
	found = procfs_each_descriptor(target_procfs(target), tid, find_userfaultfd, target);
	if (found < 0)
		return error_system(err, found, "cannot list the descriptors of process %d (%s)",
		                    tide_target_pid(target), tide_target_name(target));
	if (found > 0)
		return error_set(err, TIDE_CAUSE_BUSY, -EBUSY,
		                 "process %d (%s) uses userfaultfd itself (descriptor %d): memory can have one user "
		                 "of it only",
		                 tide_target_pid(target), tide_target_name(target), found - 1);
	return 0;
}

/* One call inside the target, which results in the descriptor. It, or negative. */
static int fetch(struct tide_target *target, struct inject_call *call, uint64_t *stopped_ns, struct tide_error *err)
{
	struct inject_cost cost = { 0 };
	int result = refuse_other_users(target, err);

	if (result < 0)
		return result;
	result = inject_run(target, call, 1, &cost, err);
	*stopped_ns += cost.stopped_ns;
	return result < 0 ? result : call->fd;
}

static int make(struct tide_target *target, int flags, uint64_t *stopped_ns, struct tide_error *err)
{
	struct inject_call call = {
		.nr = SYS_userfaultfd,
		.args = { (uint64_t)(O_CLOEXEC | O_NONBLOCK | flags) },
		.fetch = true,
		.fd = -1,
	};
	int result;

	if (tide_target_pid(target) != getpid())
		return fetch(target, &call, stopped_ns, err);
	result = sys_userfaultfd(O_NONBLOCK | flags);
	return result < 0 ? error_system(err, result, "cannot create a userfaultfd") : result;
}

/* The same by a device, whose descriptor makes up for privileges that the target has not got. */
static int make_by(int device, struct tide_target *target, uint64_t *stopped_ns, struct tide_error *err)
{
	struct inject_call call = {
		.nr = SYS_ioctl,
		.args = { 0, UFFD_NEW, O_CLOEXEC | O_NONBLOCK },
		.gives = true,
		.given = device,
		.fetch = true,
		.fd = -1,
	};

	return fetch(target, &call, stopped_ns, err);
}

/* `fd`, or negative, after the handshake. */
static int shake_hands(struct tide_target *target, int fd, uint64_t features, struct tide_error *err)
{
	int result = fd < 0 ? fd : uffd_api(fd, features);

	if (fd < 0 || result == 0)
		return fd;
	sys_close(fd);
	return error_system(err, result, "cannot set up the userfaultfd of process %d (%s)", tide_target_pid(target),
	                    tide_target_name(target));
}

int target_userfaultfd(struct tide_target *target, uint64_t features, uint64_t *stopped_ns, struct tide_error *err)
{
	return shake_hands(target, make(target, UFFD_USER_ONLY, stopped_ns, err), features, err);
}

int target_userfaultfd_sync(struct tide_target *target, uint64_t features, uint64_t *stopped_ns, struct tide_error *err)
{
	scope_sys_fd int device = sys_open(UFFD_DEVICE, O_RDWR);
	struct tide_error why = { 0 };
	int fd = device < 0 ? device : make_by(device, target, stopped_ns, &why);

	if (device < 0 || why.cause == TIDE_CAUSE_UNSUPPORTED)
		fd = make(target, 0, stopped_ns, &why);
	if (fd == -EPERM && device < 0)
		error_set(&why, TIDE_CAUSE_DENIED, -EPERM,
		          "making process %d (%s) wait when it writes takes access to " UFFD_DEVICE
		          " here, CAP_SYS_PTRACE there, or vm.unprivileged_userfaultfd=1",
		          tide_target_pid(target), tide_target_name(target));
	if (fd < 0 && err != NULL)
		*err = why;
	return shake_hands(target, fd, features, err);
}
