/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern schema: the JSON Schema of the policy file.
 */
#include <stdio.h>
#include <string.h>

#include "admin/command.h"
#include "policy/file/file.h"

int
command_schema(int argc, char **argv)
{
	struct text t = {0};
	int r;

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs("usage: postern schema\nprints the JSON Schema of the policy file, for editors\n", stdout);
		return 0;
	}
	if (argc != 1) {
		fputs("usage: postern schema\n", stderr);
		return 2;
	}
	r = schema_json(&t);
	if (r == 0)
		fputs(text_string(&t), stdout);
	text_free(&t);
	return r == 0 ? 0 : 1;
}
