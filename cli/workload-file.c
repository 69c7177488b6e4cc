/* SPDX-License-Identifier: MIT */
/*
 * This file reads workloads: a table of members for each kind of object says what each is and where it goes. What the
 * parts are to each other is workload_check's to judge.
 */
#include "workload-file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tidemark/sensor.h>

#include "base/error.h"
#include "base/scope.h"
#include "nearest.h"
#include "workload-values.h"

#define REFUSE(err, ...) error_set(err, TIDE_CAUSE_USAGE, -EINVAL, __VA_ARGS__)

#define MAX_FILE_BYTES (1u << 20)
#define NO_MAPPING     UINT32_MAX
#define GAP_BYTES      (UINT64_C(2) << 20) /* between mappings that do not say where they are */

/* One member of an object. */
struct member {
	const char *name; /* NULL ends a table */
	read_fn *read;
	size_t offset;
};

static const struct member mapping_members[] = {
	{ "name", read_name, offsetof(struct workload_mapping, name) },
	{ "size", read_size, offsetof(struct workload_mapping, end) }, /* until it is placed */
	{ "address", read_address, offsetof(struct workload_mapping, start) },
	{ "page", read_page, offsetof(struct workload_mapping, page_shift) },
	{ "populated", read_size, offsetof(struct workload_mapping, populated_bytes) },
	{ "from", read_time, offsetof(struct workload_mapping, from_ns) },
	{ "until", read_time, offsetof(struct workload_mapping, until_ns) },
	{ 0 },
};

static const struct member set_members[] = {
	{ "name", read_name, offsetof(struct workload_set, name) },
	{ "in", read_mapping, offsetof(struct workload_set, mapping) },
	{ "at", read_size, offsetof(struct workload_set, offset) },
	{ "size", read_size, offsetof(struct workload_set, bytes) },
	{ "read_every", read_time, offsetof(struct workload_set, read_ns) },
	{ "write_every", read_time, offsetof(struct workload_set, write_ns) },
	{ "share", read_share, offsetof(struct workload_set, share) },
	{ "from", read_time, offsetof(struct workload_set, from_ns) },
	{ "until", read_time, offsetof(struct workload_set, until_ns) },
	{ "moves_by", read_size, offsetof(struct workload_set, move_bytes) },
	{ "moves_every", read_time, offsetof(struct workload_set, move_ns) },
	{ 0 },
};

static const struct member blind_members[] = {
	{ "in", read_mapping, offsetof(struct workload_blind, mapping) },
	{ "at", read_size, offsetof(struct workload_blind, offset) },
	{ "size", read_size, offsetof(struct workload_blind, bytes) },
	{ "reason", read_reason, offsetof(struct workload_blind, reason) },
	{ 0 },
};

static int refuse_member(const struct member *members, const char *name, struct tide_error *err)
{
	struct nearest nearest;

	nearest_begin(&nearest, name);
	for (const struct member *member = members; member->name != NULL; member++)
		nearest_try(&nearest, member->name);
	if (nearest.best != NULL)
		return REFUSE(err, "there is no \"%.40s\" here: did you mean \"%s\"?", name, nearest.best);
	return REFUSE(err, "there is no \"%.40s\" here", name);
}

static int read_object(const struct workload *workload, json_t *object, const struct member *members, void *into,
                       struct tide_error *err)
{
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return REFUSE(err, "it must be an object: { ... }");
	json_object_foreach(object, name, value)
	{
		const struct member *member = members;
		int result;

		while (member->name != NULL && strcmp(member->name, name) != 0)
			member++;
		if (member->name == NULL)
			return refuse_member(members, name, err);
		result = member->read(workload, value, (char *)into + member->offset, err);
		if (result < 0)
			return error_prefix(err, result, "\"%s\"", name);
	}
	return 0;
}

/* What the file does not say. */
static int place(const struct workload *workload, struct workload_mapping *mapping, struct tide_error *err)
{
	uint64_t bytes = mapping->end;
	uint64_t align = UINT64_C(1) << (mapping->page_shift > 21 ? mapping->page_shift : 21);
	uint64_t floor = WORKLOAD_FIRST_ADDRESS;

	if (bytes == 0 || bytes > WORKLOAD_LAST_ADDRESS || mapping->start > WORKLOAD_LAST_ADDRESS)
		return REFUSE(err, "it must have a \"size\", and end within the first 128TiB of addresses");
	if (workload->mappings.nr > 0)
		floor = workload->mappings.items[workload->mappings.nr - 1].end + GAP_BYTES;
	if (mapping->start == 0)
		mapping->start = (floor + align - 1) / align * align;
	mapping->end = mapping->start + bytes;
	if (mapping->populated_bytes == 0)
		mapping->populated_bytes = bytes;
	return 0;
}

static int name_it(char **name, struct tide_error *err)
{
	if (*name == NULL)
		*name = strdup("");
	return *name != NULL ? 0 : error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
}

static int add_mapping(struct workload *workload, json_t *object, struct tide_error *err)
{
	struct workload_mapping mapping = { .page_shift = 12, .until_ns = WORKLOAD_FOREVER };
	int result = read_object(workload, object, mapping_members, &mapping, err);

	if (result == 0)
		result = name_it(&mapping.name, err);
	if (result == 0)
		result = place(workload, &mapping, err);
	if (result == 0 && vec_push(&workload->mappings, mapping) < 0)
		result = error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	if (result < 0)
		free(mapping.name);
	return result;
}

/* A part that does not say where lies in the only mapping, and goes to the end of what is populated. */
static int complete_part(const struct workload *workload, uint32_t *mapping, uint64_t offset, uint64_t *bytes,
                         struct tide_error *err)
{
	if (*mapping == NO_MAPPING && workload->mappings.nr != 1)
		return REFUSE(err, "it must say \"in\" which mapping it lies");
	if (*mapping == NO_MAPPING)
		*mapping = 0;
	if (*bytes == 0 && offset < workload->mappings.items[*mapping].populated_bytes)
		*bytes = workload->mappings.items[*mapping].populated_bytes - offset;
	return 0;
}

static int add_set(struct workload *workload, json_t *object, struct tide_error *err)
{
	struct workload_set set = { .mapping = NO_MAPPING, .share = WORKLOAD_ALL, .until_ns = WORKLOAD_FOREVER };
	int result = read_object(workload, object, set_members, &set, err);

	if (result == 0)
		result = name_it(&set.name, err);
	if (result == 0)
		result = complete_part(workload, &set.mapping, set.offset, &set.bytes, err);
	if (result == 0 && vec_push(&workload->sets, set) < 0)
		result = error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	if (result < 0)
		free(set.name);
	return result;
}

static int add_blind(struct workload *workload, json_t *object, struct tide_error *err)
{
	struct workload_blind blind = { .mapping = NO_MAPPING, .reason = TIDE_REASON_SHARED };
	int result = read_object(workload, object, blind_members, &blind, err);

	if (result == 0)
		result = complete_part(workload, &blind.mapping, blind.offset, &blind.bytes, err);
	if (result == 0 && vec_push(&workload->blinds, blind) < 0)
		result = error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	return result;
}

/* The arrays of a file, in the order in which they are read: sets lie in mappings. */
static const struct {
	const char *name;
	const char *singular;
	int (*add)(struct workload *workload, json_t *object, struct tide_error *err);
} arrays[] = {
	{ "mappings", "mapping", add_mapping },
	{ "sets", "set", add_set },
	{ "unobservable", "unobservable part", add_blind },
};

static int read_array(struct workload *workload, const json_t *root, size_t which, struct tide_error *err)
{
	const json_t *array = json_object_get(root, arrays[which].name);

	if (array != NULL && !json_is_array(array))
		return REFUSE(err, "\"%s\" must be an array: [ ... ]", arrays[which].name);
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *name = json_object_get(json_array_get(array, i), "name");
		int result = arrays[which].add(workload, json_array_get(array, i), err);

		if (result < 0)
			return error_prefix(err, result, "%s %zu%s%.40s", arrays[which].singular, i + 1,
			                    json_is_string(name) ? " " : "",
			                    json_is_string(name) ? json_string_value(name) : "");
	}
	return 0;
}

static int check_members(const json_t *root, struct tide_error *err)
{
	static const struct member members[] = {
		{ .name = "name" }, { .name = "mappings" }, { .name = "sets" }, { .name = "unobservable" }, { 0 },
	};
	const char *name;
	json_t *value;

	if (!json_is_object(root))
		return REFUSE(err, "a workload is an object: { \"mappings\": [ ... ], \"sets\": [ ... ] }");
	json_object_foreach((json_t *)root, name, value)
	{
		const struct member *member = members;

		while (member->name != NULL && strcmp(member->name, name) != 0)
			member++;
		if (member->name == NULL)
			return refuse_member(members, name, err);
	}
	return 0;
}

static int read_root(struct workload *out, const json_t *root, struct tide_error *err)
{
	const json_t *name = json_object_get(root, "name");
	int result = check_members(root, err);

	if (result == 0 && name != NULL) {
		result = read_name(out, name, &out->name, err);
		if (result < 0)
			error_prefix(err, result, "\"name\"");
	}
	for (size_t i = 0; result == 0 && i < sizeof(arrays) / sizeof(arrays[0]); i++)
		result = read_array(out, root, i, err);
	return result == 0 ? workload_check(out, err) : result;
}

int workload_parse(struct workload *out, const char *text, size_t size, struct tide_error *err)
{
	json_error_t error;
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	int result;

	*out = (struct workload){ 0 };
	if (root == NULL)
		return REFUSE(err, "line %d: %.120s", error.line, error.text);
	result = read_root(out, root, err);
	json_decref(root);
	if (result < 0)
		workload_fini(out);
	return result;
}

/* The file's bytes into `text`, which has room for `size`; how many, or negative. */
static ssize_t read_all(const char *path, char *text, size_t size, struct tide_error *err)
{
	FILE *file = fopen(path, "re");
	size_t nr;
	int failed;

	if (file == NULL)
		return error_system(err, -errno, "cannot open it");
	nr = fread(text, 1, size, file);
	failed = ferror(file) ? errno : 0;
	fclose(file);
	if (failed != 0)
		return error_system(err, -failed, "cannot read it");
	return nr < size ? (ssize_t)nr : REFUSE(err, "it is larger than 1 MiB: that is no workload");
}

int workload_read(struct workload *out, const char *path, struct tide_error *err)
{
	scope_free char *text = malloc(MAX_FILE_BYTES);
	ssize_t size = text != NULL ? read_all(path, text, MAX_FILE_BYTES, err)
	                            : error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	int result = size < 0 ? (int)size : workload_parse(out, text, (size_t)size, err);

	return result < 0 ? error_prefix(err, result, "%.80s", path) : 0;
}
