/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A YAML file as a tree of text, each node with its place. For policy/file
 * only; yaml.c is the only file that knows the YAML library.
 */
#ifndef POSTERN_POLICY_FILE_YAML_H
#define POSTERN_POLICY_FILE_YAML_H

#include "base/arena.h"
#include "policy/file/file.h"

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	bool is_quoted;         /* text in quotes or a block */
	const char *file;
	unsigned line, column;
	const char *text;       /* NODE_TEXT; never holds a NUL */
	struct node *key;       /* when it is a member of a map */
	struct node *first;     /* of a list or map */
	struct node *next;
	size_t count;           /* of a list or map */
	bool is_broken;         /* an error was already said of it */
};

/* The tree of these octets, named `file` in errors; NULL when it cannot be
 * read as one document (an error was added). An empty document is a map
 * without members. Repeated keys, anchors, tags and the like are errors that
 * leave a tree, so that the reading can go on. */
struct node *yaml_read(struct arena *a, const char *file, const char *s, size_t len,
		       struct problems *problems);

/* "a mapping", "a list", "text". */
const char *node_kind_name(const struct node *n);

/* An error or warning at a node. */
#define node_error(problems, n, ...) \
	problems_add((problems), true, (n)->file, (n)->line, (n)->column, __VA_ARGS__)
#define node_warning(problems, n, ...) \
	problems_add((problems), false, (n)->file, (n)->line, (n)->column, __VA_ARGS__)

#endif
