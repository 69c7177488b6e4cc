/* SPDX-License-Identifier: MIT */
/*
 * A question that may hang, crash or leave the memory of who asks it changed is put by a child, which hands back the
 * row.
 */
#ifndef VERIFY_APART_H
#define VERIFY_APART_H

#include "verify/row.h"

/*
 * Fills in all but the name. A child that does not answer within `timeout_ms` is killed, and the row is unknown; one
 * that even then does not end hangs in the kernel: a no, and it is left behind.
 */
void apart_ask(struct doctor_row *row, void (*ask)(struct doctor_row *row), int timeout_ms);

#endif
