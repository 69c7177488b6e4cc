/* SPDX-License-Identifier: MIT */
/*
 * This file lets several consumers share a watch.
 *
 * Whoever begins an epoch has the tracker collect, for all: each of the others finds it pending when it begins its own.
 * So the epoch of each is a number of the tracker's, whole ones, and what holds of these holds of it: what was written
 * before it began is reported by it or was by the one before, and pins are reported once more.
 */
#include "watch/consumer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "target/target.h"
#include "watch/tracker.h"

enum {
	RUNS_AT_ONCE = 1024,
	MAX_PENDING = 1 << 20, /* runs: 24 MiB. Beyond it a consumer that does not collect gets everything, as `over` */
};

bool consumers_are_several(const struct consumers *consumers)
{
	const struct tide_consumer *owner = &consumers->owner;

	return consumers->others.nr > 0 || owner->pending.v.nr > 0 || owner->has_hole || owner->in_epoch;
}

/* The others, and after them the owner. */
static struct tide_consumer *nth(struct consumers *consumers, size_t i)
{
	return i < consumers->others.nr ? consumers->others.items[i] : &consumers->owner;
}

/* Where there is no room for what was found, all of it is doubtful. */
static void add(struct tide_consumer *consumer, const struct runs *found)
{
	struct runs both = { 0 };

	if (consumer->has_hole)
		return;
	if (runs_unite(&both, &consumer->pending, found) < 0 || both.v.nr > MAX_PENDING) {
		consumer->has_hole = true;
		vec_free(&both.v);
	}
	vec_free(&consumer->pending.v);
	consumer->pending = both;
}

static void add_for_all(struct consumers *consumers, const struct runs *found)
{
	if (found->v.nr == 0)
		return;
	for (size_t i = 0; i <= consumers->others.nr; i++)
		add(nth(consumers, i), found);
}

/* What the tracker says of its epoch, of which this consumer has paid for those it began. */
static void account(struct tide_consumer *consumer, const struct tide_epoch *epoch, bool has_paid)
{
	struct tide_epoch now = *epoch;

	now.number = consumer->now.number;
	now.written_bytes = now.over_bytes = now.pinned_bytes = 0;
	now.blind |= consumer->now.blind;
	now.cost_ns = consumer->now.cost_ns + (has_paid ? epoch->cost_ns : 0);
	now.nr_calls = consumer->now.nr_calls + (has_paid ? epoch->nr_calls : 0);
	now.nr_looked = consumer->now.nr_looked + (has_paid ? epoch->nr_looked : 0);
	consumer->now = now;
}

static void account_all(struct tide_watch *watch, const struct tide_consumer *payer)
{
	struct consumers *consumers = &watch->consumers;

	for (size_t i = 0; i <= consumers->others.nr; i++)
		account(nth(consumers, i), &watch->last, payer == nth(consumers, i));
}

/* The rest of the tracker's epoch, or a whole one, for all. */
static int pump(struct tide_watch *watch, const struct tide_consumer *payer, struct tide_error *err)
{
	struct runs found = { 0 };
	struct tide_run some[RUNS_AT_ONCE];
	int result = 0;
	long nr;

	do {
		nr = watch_collect(watch, some, RUNS_AT_ONCE, err);
		for (long i = 0; result == 0 && i < nr; i++)
			result = runs_push(&found, some[i].start, some[i].end, some[i].certainty, some[i].why);
	} while (nr > 0 && result == 0);
	add_for_all(&watch->consumers, &found);
	if (result < 0) {
		/* Some runs were taken, and are nowhere. */
		for (size_t i = 0; i <= watch->consumers.others.nr; i++)
			nth(&watch->consumers, i)->has_hole = true;
		error_system(err, result, "cannot note what was written");
	} else if (nr == 0) {
		account_all(watch, payer);
	}
	vec_free(&found.v);
	return result < 0 ? result : (int)nr;
}

/* A whole one, after what was left of one that failed, or that the owner began: that has passed some memory already. */
static int pump_whole(struct tide_watch *watch, const struct tide_consumer *payer, struct tide_error *err)
{
	int result = watch->in_epoch ? pump(watch, payer, err) : 0;

	return result == 0 ? pump(watch, payer, err) : result;
}

/* All that is mapped, and was asked for. */
static int take_everything(struct tide_watch *watch, struct runs *out)
{
	struct runs all = { 0 };
	struct interval part;
	int result = 0;

	for (uint64_t at = 0; result == 0 && watch_next_part(watch, at, &part) != NULL; at = part.end)
		result = runs_push(&all, part.start, part.end, TIDE_OVER, TIDE_WHY_BOUND);
	if (result == 0)
		result = runs_wanted(watch, &all, out);
	vec_free(&all.v);
	return result;
}

/* What is pending, and still mapped. */
static int take_pending(struct tide_watch *watch, const struct runs *pending, struct runs *out)
{
	const struct tide_layout *layout = tide_target_layout(watch->target);
	int result = 0;

	for (size_t i = 0; result == 0 && i < pending->v.nr; i++) {
		const struct tide_run *run = &pending->v.items[i];

		for (uint64_t at = run->start; result == 0 && at < run->end;) {
			const struct tide_mapping *mapping = watch_mapping_from(layout, at);
			uint64_t start, end;

			if (mapping == NULL || mapping->start >= run->end)
				break;
			start = mapping->start > at ? mapping->start : at;
			end = mapping->end < run->end ? mapping->end : run->end;
			result = runs_push(out, start, end, run->certainty, run->why);
			at = end;
		}
	}
	return result;
}

static int begin(struct tide_consumer *consumer, struct tide_error *err)
{
	struct tide_watch *watch = consumer->watch;
	int result = pump_whole(watch, consumer, err);

	if (result < 0)
		return result;
	consumer->ready.v.nr = consumer->ready_at = 0;
	result = consumer->has_hole ? take_everything(watch, &consumer->ready)
	                            : take_pending(watch, &consumer->pending, &consumer->ready);
	if (result < 0) {
		consumer->ready.v.nr = 0;
		return error_system(err, result, "cannot note what was written");
	}
	vec_free(&consumer->pending.v);
	consumer->has_hole = false;
	consumer->in_epoch = true;
	return 0;
}

static void end(struct tide_consumer *consumer)
{
	consumer->now.number++;
	consumer->last = consumer->now;
	consumer->now = (struct tide_epoch){ .number = consumer->last.number };
	consumer->in_epoch = false;
}

long consumer_collect(struct tide_consumer *consumer, struct tide_run *runs, size_t max, struct tide_error *err)
{
	int result = consumer->in_epoch ? 0 : begin(consumer, err);
	long nr;

	if (result < 0)
		return result;
	nr = epoch_hand_out(&consumer->now, &consumer->ready, &consumer->ready_at, runs, max);
	if (nr == 0)
		end(consumer);
	return nr;
}

long tide_consumer_collect(struct tide_consumer *consumer, struct tide_run *runs, size_t max, struct tide_error *err)
{
	int result = watch_check_room(max, err);

	return result < 0 ? result : consumer_collect(consumer, runs, max, err);
}

void tide_consumer_epoch(const struct tide_consumer *consumer, struct tide_epoch *out)
{
	*out = consumer->last;
}

/* What is left of an epoch that the owner began alone is returned to it in that epoch. */
static int finish_for_owner(struct tide_watch *watch, struct tide_error *err)
{
	struct tide_consumer *owner = &watch->consumers.owner;
	struct runs rest = owner->ready;
	int result;

	owner->now.written_bytes = watch->now.written_bytes;
	owner->now.over_bytes = watch->now.over_bytes;
	owner->now.pinned_bytes = watch->now.pinned_bytes;
	owner->in_epoch = true;
	watch->consumers.owner_is_half_way = false;
	result = pump(watch, NULL, err);
	if (result < 0)
		return result;
	owner->ready = owner->pending;
	owner->ready_at = 0;
	owner->pending = rest;
	owner->pending.v.nr = 0;
	return 0;
}

/* Nothing from before is left for it. */
static int begin_clean(struct tide_consumer *consumer, struct tide_error *err)
{
	struct tide_watch *watch = consumer->watch;
	int result = 0;

	if (watch->in_epoch && watch->consumers.owner_is_half_way)
		result = finish_for_owner(watch, err);
	if (result == 0)
		result = pump_whole(watch, NULL, err);
	vec_free(&consumer->pending.v);
	consumer->has_hole = false;
	consumer->now = (struct tide_epoch){ 0 };
	return result;
}

int tide_consumer_open(struct tide_consumer **out, struct tide_watch *watch, struct tide_error *err)
{
	struct tide_consumer *consumer;
	int result;

	if (watch->client != NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "another process watches for this one: it can ask for one share only");
	consumer = calloc(1, sizeof(*consumer));
	if (consumer == NULL || vec_push(&watch->consumers.others, consumer) < 0) {
		free(consumer);
		return error_system(err, -ENOMEM, "cannot share the watch of process %d",
		                    tide_target_pid(watch->target));
	}
	consumer->watch = watch;
	watch->consumers.owner.watch = watch;
	result = begin_clean(consumer, err);
	if (result < 0) {
		tide_consumer_close(consumer);
		return result;
	}
	*out = consumer;
	return 0;
}

void tide_consumer_close(struct tide_consumer *consumer)
{
	struct consumers *consumers;

	if (consumer == NULL)
		return;
	consumers = &consumer->watch->consumers;
	for (size_t i = 0; i < consumers->others.nr; i++)
		if (consumers->others.items[i] == consumer)
			consumers->others.items[i] = consumers->others.items[--consumers->others.nr];
	vec_free(&consumer->pending.v);
	vec_free(&consumer->ready.v);
	free(consumer);
}

void consumers_fini(struct consumers *consumers)
{
	while (consumers->others.nr > 0)
		tide_consumer_close(consumers->others.items[0]);
	vec_free(&consumers->others);
	vec_free(&consumers->owner.pending.v);
	vec_free(&consumers->owner.ready.v);
}
