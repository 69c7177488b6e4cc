/* SPDX-License-Identifier: MIT */
/* May a record be written there? Asked before anybody's process is touched for it. */
#ifndef CLI_STORE_PATH_H
#define CLI_STORE_PATH_H

#include <tidemark/error.h>

/* 0 when `path` is a record that can be replaced, an empty file, or a name that can be created. */
int store_path_check(const char *path, struct tide_error *err);

/* Removes a store and the files that SQLite keeps beside it. */
void store_path_remove(const char *path);

#endif
