/* SPDX-License-Identifier: MIT */
/* This file fills error objects and passes log lines to the program's callback. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static tide_log_fn *log_fn;
static void *log_arg;

const char *tide_cause_name(enum tide_cause cause)
{
	static const char *const names[] = {
		[TIDE_CAUSE_NONE] = "none",     [TIDE_CAUSE_USAGE] = "usage",
		[TIDE_CAUSE_DENIED] = "denied", [TIDE_CAUSE_UNSUPPORTED] = "unsupported",
		[TIDE_CAUSE_GONE] = "gone",     [TIDE_CAUSE_BUSY] = "busy",
		[TIDE_CAUSE_LIMIT] = "limit",   [TIDE_CAUSE_CORRUPT] = "corrupt",
		[TIDE_CAUSE_SYSTEM] = "system",
	};

	if ((unsigned)cause >= sizeof(names) / sizeof(names[0]))
		return "none";
	return names[cause];
}

static enum tide_cause cause_of(int code)
{
	switch (-code) {
	case EPERM:
	case EACCES:
		return TIDE_CAUSE_DENIED;
	case ESRCH:
		return TIDE_CAUSE_GONE;
	case ENOSYS:
	case EOPNOTSUPP:
		return TIDE_CAUSE_UNSUPPORTED;
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case ENOSPC:
	case EDQUOT:
		return TIDE_CAUSE_LIMIT;
	case EBUSY:
		return TIDE_CAUSE_BUSY;
	default:
		return TIDE_CAUSE_SYSTEM;
	}
}

int error_set(struct tide_error *err, enum tide_cause cause, int code, const char *fmt, ...)
{
	va_list args;

	if (err == NULL)
		return code;
	err->code = code;
	err->cause = cause;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return code;
}

int error_prefix(struct tide_error *err, int code, const char *fmt, ...)
{
	char context[sizeof(err->text)];
	char sentence[sizeof(err->text)];
	va_list args;

	if (err == NULL)
		return code;
	va_start(args, fmt);
	vsnprintf(context, sizeof(context), fmt, args);
	va_end(args);
	memcpy(sentence, err->text, sizeof(sentence));
	if (snprintf(err->text, sizeof(err->text), "%s: %s", context, sentence) >= (int)sizeof(err->text))
		memcpy(err->text + sizeof(err->text) - 4, "...", 4);
	return err->code;
}

int error_system(struct tide_error *err, int code, const char *fmt, ...)
{
	char what[sizeof(err->text)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return error_set(err, cause_of(code), code, "%.150s: %s", what, strerror(-code));
}

void tide_log_set(tide_log_fn *fn, void *arg)
{
	log_fn = fn;
	log_arg = arg;
}

void log_text(enum tide_log_level level, const char *fmt, ...)
{
	char text[512];
	va_list args;

	if (log_fn == NULL)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_fn(log_arg, level, text);
}
