/* SPDX-License-Identifier: MIT */
/* How libtidemark reports failure and progress: one error object, one log callback. */
#ifndef TIDEMARK_ERROR_H
#define TIDEMARK_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define TIDE_EXPORT   __attribute__((visibility("default")))
#define TIDE_MUST_USE __attribute__((warn_unused_result))

/* Why a call failed, in the coarse sense a program acts on. The program's exit code follows from it. */
enum tide_cause {
	TIDE_CAUSE_NONE = 0,
	TIDE_CAUSE_USAGE,       /* the caller's arguments make no sense: correct them */
	TIDE_CAUSE_DENIED,      /* a permission or capability lacks */
	TIDE_CAUSE_UNSUPPORTED, /* this kernel, its configuration or this target cannot do it */
	TIDE_CAUSE_GONE,        /* the target exited, or executed another program */
	TIDE_CAUSE_BUSY,        /* somebody else holds what is needed */
	TIDE_CAUSE_LIMIT,       /* a bound (memory, descriptors, disk) was reached */
	TIDE_CAUSE_CORRUPT,     /* a file is truncated, or not ours */
	TIDE_CAUSE_SYSTEM,      /* a system call failed for a reason of its own */
};

/*
 * Filled in by a call that returns a negative number; left alone by one that succeeds.
 * The caller owns it; every function that takes one accepts NULL. `code` is the negative errno that was also returned.
 * `text` is one sentence for people: it names the object and the way out, has no newline and no full stop.
 */
struct tide_error {
	int code;
	enum tide_cause cause;
	char text[240];
};

/* The cause in one lower-case word, e.g. "denied". Never NULL; static storage. Any thread. */
TIDE_EXPORT const char *tide_cause_name(enum tide_cause cause);

enum tide_log_level {
	TIDE_LOG_DEBUG = 0,
	TIDE_LOG_INFO,
	TIDE_LOG_WARN,
};

/* Called with one line without newline. May be called from any thread that uses the library. */
typedef void tide_log_fn(void *arg, enum tide_log_level level, const char *text);

/*
 * The library prints nothing. A program that wants to hear it sets a callback; NULL (the start value) is silence.
 * Not thread-safe: set it before other calls. `arg` is handed through and must outlive the last call.
 */
TIDE_EXPORT void tide_log_set(tide_log_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
