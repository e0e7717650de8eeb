/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Any octets as policy file: a policy, or errors that each name a place.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "policy/file/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[64];
	struct problems *problems = NULL;
	struct policy *p;
	FILE *f;

	snprintf(path, sizeof path, "/tmp/postern-fuzz-%ld.yaml", (long)getpid());
	f = fopen(path, "wb");
	if (f == NULL)
		abort();
	fwrite(data, 1, size, f);
	fclose(f);
	p = policy_load(path, &problems);
	unlink(path);
	if (p == NULL && problems_errors(problems) == 0)
		abort();
	problems_free(&problems);
	policy_unref(&p);
	return 0;
}
