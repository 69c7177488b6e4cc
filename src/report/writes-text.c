/* SPDX-License-Identifier: MIT */
/*
 * This file writes what was written as a table: a row for each epoch, below it the mappings most written in it, and a
 * summary. "Written" is what was written for certain; what may have been is in columns of its own: a shared mapping is
 * over as a whole, written or not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report/format.h"
#include "report/writes.h"

#define TOP_OF_EPOCH   3
#define TOP_OF_SUMMARY 10
#define COLUMNS        56 /* of a row before its mapping */

static int mapping_width(const struct writes *writes)
{
	int width = (writes->opts.width > 0 ? writes->opts.width : 80) - COLUMNS;

	return width < 12 ? 12 : width;
}

/* "3.1 MiB/s" */
static struct format_text format_rate(uint64_t bytes, uint64_t us)
{
	struct format_text text = format_bytes(writes_rate(bytes, us));
	struct format_text rate;

	snprintf(rate.s, sizeof(rate.s), "%.40s/s", text.s);
	return rate;
}

/* "-" for nothing. */
static struct format_text format_part(uint64_t bytes)
{
	return bytes > 0 ? format_bytes(bytes) : (struct format_text){ "-" };
}

/* What a row says of some bytes written within `us`. */
static void write_sum(const struct writes *writes, const struct writes_sum *sum, uint64_t us)
{
	uint64_t exact = writes_exact(sum);

	fprintf(writes->out, "%8s %9s %10s %8s %8s ", format_part(exact).s,
	        exact > 0 ? format_count(exact / 4096).s : "-", exact > 0 ? format_rate(exact, us).s : "-",
	        format_part(sum->over_bytes).s, format_part(sum->pinned_bytes).s);
}

/* A name, or where it is. */
static void write_mapping(const struct writes *writes, const struct writes_mapping *mapping)
{
	int width = mapping_width(writes);

	if (mapping->name[0] == 0)
		fprintf(writes->out, "anon %" PRIx64 "\n", mapping->start);
	else
		fprintf(writes->out, "%s\n", format_mapping(mapping->name, width).s);
}

static int write_mappings(const struct writes *writes, const writes_mapping_vec *mappings, size_t top, uint64_t us)
{
	size_t *order = writes_by_size(mappings);

	if (order == NULL)
		return -ENOMEM;
	if (writes->opts.top > 0)
		top = writes->opts.top;
	for (size_t i = 0; i < mappings->nr && i < top; i++) {
		const struct writes_mapping *mapping = &mappings->items[order[i]];

		fprintf(writes->out, "%8s", "");
		write_sum(writes, &mapping->sum, us);
		write_mapping(writes, mapping);
	}
	if (mappings->nr > top)
		fprintf(writes->out, "%56sand %s more\n", "", format_count(mappings->nr - top).s);
	free(order);
	return 0;
}

int writes_text_begin(const struct writes *writes)
{
	fprintf(writes->out, "%8s%8s %9s %10s %8s %8s mapping\n", "time", "written", "pages", "rate", "over", "pinned");
	return 0;
}

int writes_text_run(const struct writes *writes, const struct tide_run *run, const char *mapping)
{
	const char *why = tide_why_name((enum tide_why)run->why);

	fprintf(writes->out, "%18s %12" PRIx64 "-%-12" PRIx64 " %-7s%-8s %s\n", format_bytes(run->end - run->start).s,
	        run->start, run->end, tide_certainty_name((enum tide_certainty)run->certainty), why,
	        format_mapping(mapping, mapping_width(writes)).s);
	return 0;
}

int writes_text_lost(const struct writes *writes, uint64_t start, uint64_t end, const char *mapping)
{
	fprintf(writes->out, "LOST WRITE: %s page%s at %" PRIx64 " in %s changed, and no epoch reported it\n",
	        format_count((end - start) / 4096).s, end - start == 4096 ? "" : "s", start,
	        format_mapping(mapping, 20).s);
	return 0;
}

/* Breaks `text` between words; lines after the first begin at `indent`, where the first is already. */
static void write_indented(const struct writes *writes, const char *text, int indent)
{
	int width = writes->opts.width > 0 ? writes->opts.width : 80;
	int column = indent;

	while (*text != 0) {
		int word = (int)strcspn(text, " ");

		if (column > indent && column + 1 + word > width) {
			fprintf(writes->out, "\n%*s", indent, "");
			column = indent;
		}
		column += fprintf(writes->out, "%s%.*s", column > indent ? " " : "", word, text);
		text += word;
		text += *text == ' ';
	}
	fputc('\n', writes->out);
}

static const char *blind_sentence(unsigned bit)
{
	switch (bit) {
	case TIDE_BLIND_DEVICE_WRITES:
		return "device writes into pinned memory";
	case TIDE_BLIND_REFERENCES:
		return "direct I/O without pins";
	case TIDE_BLIND_OTHERS:
		return "writes of other processes at the instant an epoch begins";
	case TIDE_BLIND_REUSED:
		return "writes in reused mappings (--reused exclude)";
	case TIDE_BLIND_MERGED:
		return "what KSM merged, and was taken apart, within an epoch";
	case TIDE_BLIND_GUARDS:
		return "what guard regions did to listed memory (MADV_GUARD_INSTALL)";
	case TIDE_BLIND_GIVEN_UP:
		return "memory that the program gives up, moves or protects itself (MADV_DONTNEED, mremap, mprotect)";
	default:
		return "something this program has no words for";
	}
}

/* At `indent`, where the line is already. */
static void write_blind(const struct writes *writes, uint32_t blind, int indent)
{
	const char *lead = "not seen: ";
	char text[400];
	size_t used = 0;

	for (unsigned bit = 1; bit != 0; bit <<= 1) {
		if ((blind & bit) == 0 || used >= sizeof(text))
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", lead, blind_sentence(bit));
		lead = "; ";
	}
	if (blind != 0)
		write_indented(writes, text, indent);
}

int writes_text_epoch(const struct writes *writes, const struct writes_verified *verified, bool blind_is_new)
{
	const struct tide_epoch *epoch = &writes->last;
	struct writes_sum sum = { epoch->written_bytes, epoch->over_bytes, epoch->pinned_bytes };

	fprintf(writes->out, "%6.1f s", (double)writes->at_us / 1e6);
	write_sum(writes, &sum, writes->length_us);
	fprintf(writes->out, "%s mapping%s; cost %s\n", format_count(writes->mappings.nr).s,
	        writes->mappings.nr == 1 ? "" : "s", format_duration_short(epoch->cost_ns / 1000).s);
	if (verified != NULL)
		fprintf(writes->out, "%10sverified %s pages, %s lost\n", "", format_count(verified->nr_pages).s,
		        format_count(verified->nr_lost).s);
	if (blind_is_new) {
		fprintf(writes->out, "%10s", "");
		write_blind(writes, epoch->blind, 10);
	}
	return write_mappings(writes, &writes->mappings, TOP_OF_EPOCH, writes->length_us);
}

static void write_whys(const struct writes *writes)
{
	for (int i = TIDE_WHY_NONE + 1; i < TIDE_NR_WHYS; i++) {
		if (writes->all_whys[i] == 0)
			continue;
		fprintf(writes->out, "%17s %-10s", format_bytes(writes->all_whys[i]).s,
		        tide_why_name((enum tide_why)i));
		write_indented(writes, tide_why_sentence((enum tide_why)i), 28);
	}
}

/* What else may have been written, and why it cannot be told. */
static void write_certainty(const struct writes *writes)
{
	const struct writes_sum *all = &writes->all;

	if (all->over_bytes + all->pinned_bytes == 0)
		return;
	fputs("perhaps written besides: ", writes->out);
	if (all->over_bytes > 0)
		fprintf(writes->out, "%s (over)%s", format_bytes(all->over_bytes).s, all->pinned_bytes > 0 ? ", " : "");
	if (all->pinned_bytes > 0)
		fprintf(writes->out, "%s by devices (pinned)", format_bytes(all->pinned_bytes).s);
	fputs(", because\n", writes->out);
	write_whys(writes);
}

static void write_cost(const struct writes *writes)
{
	const struct tide_epoch *last = &writes->last;

	if (writes->nr_epochs == 0)
		return;
	fprintf(writes->out, "cost: %s", format_duration_short(writes->cost_ns / 1000).s);
	fprintf(writes->out, ", %s of the time",
	        format_percent((double)writes->cost_ns / 1e3 / (double)writes->at_us).s);
	fprintf(writes->out, "; %s for the longest epoch\n", format_duration_short(writes->max_cost_ns / 1000).s);
	if (writes->nr_stops > 1)
		fprintf(writes->out, "the process was stopped for each epoch, %s in all\n",
		        format_duration_short(last->stopped_ns / 1000).s);
	else
		fprintf(writes->out, "the process was stopped once, for %s\n",
		        format_duration_short(last->stopped_ns / 1000).s);
	if (last->listed_bytes > 0)
		fprintf(writes->out, "listed: %s of %s mapped; the rest was scanned\n",
		        format_bytes(last->listed_bytes).s, format_bytes(last->watched_bytes).s);
	if (last->nr_faults > 0)
		fprintf(writes->out, "%s write%s waited to be listed, the longest for %s\n",
		        format_count(last->nr_faults).s, last->nr_faults == 1 ? "" : "s",
		        format_duration_short(last->longest_stall_ns / 1000).s);
	if (last->throttled_ns > 0)
		fprintf(writes->out, "writers were held back for %s in all\n",
		        format_duration_short(last->throttled_ns / 1000).s);
	if (last->huge_lost_bytes > 0)
		fprintf(writes->out, "huge pages mapped by base pages now: %s\n",
		        format_bytes(last->huge_lost_bytes).s);
	if (last->table_bytes > 0)
		fprintf(writes->out, "page tables made for it: %s at most\n", format_bytes(last->table_bytes).s);
}

static void write_verified(const struct writes *writes)
{
	const struct writes_verified *verified = &writes->verified;

	if (!writes->opts.verified)
		return;
	fprintf(writes->out, "verified: %s pages compared, %s lost", format_count(verified->nr_pages).s,
	        format_count(verified->nr_lost).s);
	if (verified->unreadable_bytes > 0)
		fprintf(writes->out, "; %s could not be read", format_bytes(verified->unreadable_bytes).s);
	fputc('\n', writes->out);
}

int writes_text_end(const struct writes *writes, const char *ended)
{
	uint64_t written = writes_exact(&writes->all);

	fprintf(writes->out, "\n%s (pid %d): %s written in %.1f s", format_name(writes->name, 40).s, (int)writes->pid,
	        format_bytes(written).s, (double)writes->at_us / 1e6);
	if (writes->nr_epochs == 1)
		fprintf(writes->out, ": %s", format_rate(written, writes->at_us).s);
	if (writes->nr_epochs > 1)
		fprintf(writes->out, ", %s epochs:\n%s on the average, %s/s at most", format_count(writes->nr_epochs).s,
		        format_rate(written, writes->at_us).s, format_bytes(writes->max_rate).s);
	fputc('\n', writes->out);
	write_certainty(writes);
	write_blind(writes, writes->blind, 0);
	write_verified(writes);
	write_cost(writes);
	if (writes->all_mappings.nr == 0)
		return 0;
	fprintf(writes->out, "\n%8s%8s %9s %10s %8s %8s mapping\n", "in all", "written", "pages", "rate", "over",
	        "pinned");
	return write_mappings(writes, &writes->all_mappings, TOP_OF_SUMMARY, writes->at_us);
}
