/* SPDX-License-Identifier: MIT */
/* Whether synchronous write protection makes a list here that can be relied upon. */
#ifndef WATCH_UFFD_LOG_PROBE_H
#define WATCH_UFFD_LOG_PROBE_H

#include <tidemark/error.h>

/* As of struct watch_backend. */
int uffd_log_probe(struct tide_error *why);

#endif
