/* SPDX-License-Identifier: MIT */
/* This file tells operations in words. */
#include <stdio.h>

#include "verify/program.h"

static void append(char *buf, size_t *used, const char *fmt, unsigned long long one, unsigned long long other)
{
	int nr = *used < PROGRAM_TEXT_SIZE ? snprintf(buf + *used, PROGRAM_TEXT_SIZE - *used, fmt, one, other) : 0;

	*used += nr > 0 ? (size_t)nr : 0;
}

static void detail(char *buf, size_t *used, const struct model_op *op)
{
	static const char *const kinds[MODEL_NR_KINDS] = {
		[MODEL_ANON] = " anonymous",
		[MODEL_SHARED] = " shared",
		[MODEL_FILE] = " of a file",
		[MODEL_HUGETLB] = "",
	};
	static const char *const rights[] = { " none", " r", " w", " rw" };

	if (op->kind == OP_MAP && op->flags < MODEL_NR_KINDS)
		append(buf, used, kinds[op->flags], 0, 0);
	if (op->kind == OP_MAP || op->kind == OP_MAP_HUGETLB || op->kind == OP_PROTECT)
		append(buf, used, rights[op->value & 3], 0, 0);
	if (op->kind == OP_WRITE || op->kind == OP_DEVICE_WRITE)
		append(buf, used, " = 0x%llx", op->value, 0);
	if (op->kind == OP_MOVE)
		append(buf, used, op->flags != 0 ? " to %llu, and stay" : " to %llu", op->to, 0);
	if (op->kind == OP_PIN || op->kind == OP_DEVICE_WRITE || op->kind == OP_DEVICE_READ)
		append(buf, used, ", buffer %llu", op->to, 0);
}

const char *program_op_text(char buf[PROGRAM_TEXT_SIZE], const struct model_op *op)
{
	size_t used = (size_t)snprintf(buf, PROGRAM_TEXT_SIZE, "%u: %s", op->process, model_op_name(op->kind));

	if (op->kind == OP_FORK)
		append(buf, &used, " process %llu", op->to, 0);
	else if (op->kind == OP_UNPIN)
		append(buf, &used, " buffer %llu", op->to, 0);
	else if (op->nr > 1)
		append(buf, &used, " pages %llu+%llu", op->page, op->nr);
	else if (op->kind != OP_EXIT && op->kind != OP_MERGE && op->kind != OP_CLEAR_SOFT && op->kind != OP_CLEAR_YOUNG)
		append(buf, &used, " page %llu", op->page, 0);
	detail(buf, &used, op);
	return buf;
}
