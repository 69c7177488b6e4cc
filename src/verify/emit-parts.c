/* SPDX-License-Identifier: MIT */
/* This file knows what each operation is in C, and which functions of `emitted` it needs. */
#include <inttypes.h>

#include "verify/emit.h"

/* Made of the files in `emitted`. */
#define X(id, name, needs) extern const char emitted_##name[];
EMIT_PARTS(X)
#undef X

static const struct {
	const char *text;
	unsigned needs;
} parts_table[EMIT_NR_PARTS] = {
#define X(id, name, needs) { emitted_##name, needs },
	EMIT_PARTS(X)
#undef X
};

void emit_parts(FILE *out, unsigned parts)
{
	/* What a part needs stands before it. */
	for (int i = EMIT_NR_PARTS - 1; i >= 0; i--)
		if ((parts >> i & 1) != 0)
			parts |= parts_table[i].needs;
	for (int i = 0; i < EMIT_NR_PARTS; i++)
		if ((parts >> i & 1) != 0)
			fputs(parts_table[i].text, out);
}

unsigned emit_parts_of(const struct model_op *op)
{
	static const unsigned parts[NR_MODEL_OPS] = {
		[OP_READ] = EMIT_READ,          [OP_WRITE] = EMIT_WRITE,    [OP_MERGE] = EMIT_MERGE,
		[OP_MIGRATE] = EMIT_MIGRATE,    [OP_FORK] = EMIT_PROCESSES, [OP_EXIT] = EMIT_PROCESSES,
		[OP_PIN] = EMIT_RING,           [OP_UNPIN] = EMIT_RING,     [OP_DEVICE_WRITE] = EMIT_DEVICE,
		[OP_DEVICE_READ] = EMIT_DEVICE, [OP_REGISTER] = EMIT_TRACK, [OP_UNREGISTER] = EMIT_TRACK,
		[OP_ARM] = EMIT_TRACK,          [OP_DISARM] = EMIT_TRACK,   [OP_REARM] = EMIT_REARM,
		[OP_SCAN] = EMIT_ASK,           [OP_CLEAR_SOFT] = EMIT_PUT, [OP_CLEAR_YOUNG] = EMIT_PUT,
	};

	return op->kind == OP_MAP && op->flags == MODEL_FILE ? EMIT_FILE : parts[op->kind];
}

static const char *rights(uint64_t value)
{
	static const char *const names[] = { "PROT_NONE", "PROT_READ", "PROT_WRITE", "PROT_READ | PROT_WRITE" };

	return names[value & 3];
}

static void emit_map(FILE *out, const struct model_op *op)
{
	fprintf(out, "mmap(AT(%u), %u * PAGE, %s, MAP_FIXED | ", op->page, op->nr, rights(op->value));
	if (op->flags == MODEL_FILE)
		fprintf(out, "MAP_PRIVATE, file(), %u * PAGE)", op->page);
	else
		fprintf(out, "MAP_%s | MAP_ANONYMOUS, -1, 0)", op->flags == MODEL_SHARED ? "SHARED" : "PRIVATE");
	fprintf(out, " == MAP_FAILED ? -errno : 0");
}

static void emit_map_hugetlb(FILE *out, const struct model_op *op)
{
	fprintf(out,
	        "mmap(AT(%u), %u * PAGE, %s, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << 26 /* 2 MiB "
	        "*/, -1, 0) == "
	        "MAP_FAILED ? -errno : 0",
	        op->page, op->nr, rights(op->value));
}

static void emit_move(FILE *out, const struct model_op *op)
{
	fprintf(out,
	        "mremap(AT(%u), %u * PAGE, %u * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED%s, AT(%u)) == MAP_FAILED ? -errno "
	        ": 0",
	        op->page, op->nr, op->nr, op->flags != 0 ? " | MREMAP_DONTUNMAP" : "", op->to);
}

static void emit_advice(FILE *out, const struct model_op *op)
{
	static const char *const advice[NR_MODEL_OPS] = {
		[OP_DONTNEED] = "MADV_DONTNEED",
		[OP_FREE] = "MADV_FREE",
		[OP_COLD] = "MADV_COLD",
		[OP_PAGEOUT] = "MADV_PAGEOUT",
		[OP_HUGEPAGE] = "MADV_HUGEPAGE",
		[OP_NOHUGEPAGE] = "MADV_NOHUGEPAGE",
		[OP_COLLAPSE] = "25 /* MADV_COLLAPSE */",
		[OP_MERGEABLE] = "MADV_MERGEABLE",
		[OP_UNMERGEABLE] = "MADV_UNMERGEABLE",
	};

	fprintf(out, "done(madvise(AT(%u), %u * PAGE, %s))", op->page,
	        op->kind == OP_COLLAPSE ? (uint32_t)MODEL_HUGE : op->nr, advice[op->kind]);
}

static void emit_track(FILE *out, const struct model_op *op)
{
	const char *request = op->kind == OP_REGISTER     ? "UFFDIO_REGISTER"
	                      : op->kind == OP_UNREGISTER ? "UFFDIO_UNREGISTER"
	                                                  : "UFFDIO_WRITEPROTECT";

	fprintf(out, "track(%s, %u, %u, %s)", request, op->page, op->nr,
	        op->kind == OP_ARM ? "UFFDIO_WRITEPROTECT_MODE_WP" : "0");
}

void emit_operation(FILE *out, const struct model_op *op, uint64_t value)
{
	switch (op->kind) {
	case OP_MAP:
		emit_map(out, op);
		break;
	case OP_MAP_HUGETLB:
		emit_map_hugetlb(out, op);
		break;
	case OP_UNMAP:
		fprintf(out, "done(munmap(AT(%u), %u * PAGE))", op->page, op->nr);
		break;
	case OP_PROTECT:
		fprintf(out, "done(mprotect(AT(%u), %u * PAGE, %s))", op->page, op->nr, rights(op->value));
		break;
	case OP_READ:
		fprintf(out, "read_word(%u, 0x%" PRIx64 ")", op->page, value);
		break;
	case OP_WRITE:
		fprintf(out, "write_word(%u, 0x%" PRIx64 ")", op->page, op->value);
		break;
	case OP_MOVE:
		emit_move(out, op);
		break;
	case OP_MERGE:
		fprintf(out, "merge()");
		break;
	case OP_MIGRATE:
	case OP_REARM:
		fprintf(out, "%s(%u, %u)", op->kind == OP_REARM ? "rearm" : "migrate", op->page, op->nr);
		break;
	case OP_SCAN:
		fprintf(out, "ask(%u, %u, 0x%x, 0x%x, 0x%x)", op->page, op->nr, (unsigned)(op->value & 0xffff),
		        (unsigned)(op->value >> 16 & 0xffff), (unsigned)(op->value >> 32 & 0xffff));
		break;
	case OP_PIN:
		fprintf(out, "pin(%u, %u, %u)", op->to, op->page, op->nr);
		break;
	case OP_UNPIN:
		fprintf(out, "unpin(%u)", op->to);
		break;
	case OP_DEVICE_WRITE:
	case OP_DEVICE_READ:
		fprintf(out, "%s(%u, %u, 0x%" PRIx64 ")", op->kind == OP_DEVICE_READ ? "device_read" : "device_write",
		        op->to, op->page, op->kind == OP_DEVICE_READ ? value : op->value);
		break;
	case OP_REGISTER:
	case OP_UNREGISTER:
	case OP_ARM:
	case OP_DISARM:
		emit_track(out, op);
		break;
	case OP_CLEAR_SOFT:
	case OP_CLEAR_YOUNG:
		fprintf(out, "put(\"/proc/self/clear_refs\", \"%d\")", op->kind == OP_CLEAR_SOFT ? 4 : 1);
		break;
	default:
		emit_advice(out, op);
	}
}
