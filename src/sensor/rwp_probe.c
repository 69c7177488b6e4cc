/* SPDX-License-Identifier: MIT */
/* This file tells whether the rwp sensor works here. */
#include <errno.h>

#include "base/error.h"
#include "kernel/uffd_access.h"
#include "sensor/rwp.h"

int rwp_probe(struct tide_error *why)
{
	const char *failed;
	int result = uffd_access_probe(&failed);

	if (result == -EPERM) {
		error_set(why, TIDE_CAUSE_DENIED, result,
		          "userfaultfd(2) is refused: in a container it needs --security-opt seccomp=unconfined");
		return 0;
	}
	if (result < 0)
		return error_system(why, result, "cannot try protection against access (userfaultfd)");
	if (result == 0 && failed != NULL)
		error_set(why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		          "positive control failed: this kernel does not report %s as it should", failed);
	else if (result == 0)
		error_set(why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		          "this kernel's userfaultfd has no protection against access (Linux 7.3, "
		          "CONFIG_USERFAULTFD_RWP)");
	return result;
}
