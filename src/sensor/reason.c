/* SPDX-License-Identifier: MIT */
/* This file names the reasons for not knowing, and the ways of forgetting. */
#include <tidemark/sensor.h>

#define NAME(id, name, sentence)     name,
#define SENTENCE(id, name, sentence) sentence,

static const char *const names[] = { TIDE_REASONS(NAME) };
static const char *const sentences[] = { TIDE_REASONS(SENTENCE) };

const char *tide_reason_name(enum tide_reason reason)
{
	return (unsigned)reason < TIDE_NR_REASONS ? names[reason] : "unknown";
}

const char *tide_reason_sentence(enum tide_reason reason)
{
	return (unsigned)reason < TIDE_NR_REASONS ? sentences[reason] : "for a reason that this version does not know";
}

static const char *const way_names[] = { "auto", TIDE_WAYS(NAME) };
static const char *const way_sentences[] = { NULL, TIDE_WAYS(SENTENCE) };

const char *tide_way_name(enum tide_way way)
{
	return (unsigned)way < TIDE_NR_WAYS ? way_names[way] : "unknown";
}

const char *tide_way_sentence(enum tide_way way)
{
	return (unsigned)way < TIDE_NR_WAYS ? way_sentences[way] : NULL;
}
