/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Feeds files to a fuzzing harness without a fuzzer: usage: replay FILE|FOLDER...
 * Each is named before it is fed; the last one named is the one that crashes.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define HANGS 60u /* seconds after which an input is taken to hang */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t fed;

/* In memory of just its size, so that a sanitizer sees what is read beyond. */
static void
feed(const struct text *t)
{
	uint8_t *data = malloc(t->len > 0 ? t->len : 1);

	if (data == NULL)
		abort();
	memcpy(data, text_string(t), t->len);
	alarm(HANGS);
	(void)LLVMFuzzerTestOneInput(data, t->len);
	alarm(0);
	free(data);
	fed++;
}

static int
replay_file(const char *path)
{
	struct text t = {0};
	char buf[4096];
	size_t n;
	FILE *f = fopen(path, "rb");
	int rc;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	while ((n = fread(buf, 1, sizeof buf, f)) > 0)
		text_add_octets(&t, buf, n);
	rc = ferror(f) || t.failed ? -1 : 0;
	fclose(f);
	if (rc == 0) {
		fprintf(stderr, "%s\n", path);
		feed(&t);
	} else {
		fprintf(stderr, "%s: cannot be read\n", path);
	}
	text_free(&t);
	return rc;
}

static int
replay_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int rc = 0;

	if (d == NULL) {
		perror(path);
		return -1;
	}
	while ((e = readdir(d)) != NULL) {
		struct text file = {0};

		if (e->d_name[0] == '.')
			continue;
		text_printf(&file, "%s/%s", path, e->d_name);
		if (replay_file(text_string(&file)) != 0)
			rc = -1;
		text_free(&file);
	}
	closedir(d);
	return rc;
}

int
main(int argc, char **argv)
{
	int rc = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;
		bool is_folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);

		if ((is_folder ? replay_folder(argv[i]) : replay_file(argv[i])) != 0)
			rc = 1;
	}
	fprintf(stderr, "%zu inputs\n", fed);
	return fed > 0 ? rc : 1;
}
