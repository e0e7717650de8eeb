/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * policy_load(): the policy file, its includes, and the order in which they
 * become a policy: tenants, then signing, then apps, each in the order of the
 * files.
 */
#include "policy/file/build.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 1000u
#define FNV_OFFSET UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)

struct source {
	struct value v[TOP_COUNT];
};

struct sources {
	struct source *list;
	size_t n;
};

static void
add_to_digest(struct build *b, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		b->digest = (b->digest ^ (unsigned char)s[i]) * FNV_PRIME;
	/* Where one file ends counts too. */
	b->digest = (b->digest ^ len) * FNV_PRIME;
}

static ssize_t
read_all(int fd, char *s, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, s + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static const char *
read_open_file(struct build *b, int fd, size_t max, size_t *len_r, int64_t *modified_r, const char **error_r)
{
	struct stat st;
	ssize_t n;
	char *s;

	if (fstat(fd, &st) != 0) {
		*error_r = strerror(errno);
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || (uintmax_t)st.st_size > max) {
		*error_r = S_ISREG(st.st_mode) ? "the file is too large" : "expected a regular file";
		return NULL;
	}
	s = arena_alloc(b->scratch, (size_t)st.st_size + 1);
	n = s == NULL ? -1 : read_all(fd, s, (size_t)st.st_size);
	if (n < 0) {
		*error_r = s == NULL ? "memory is short" : strerror(errno);
		return NULL;
	}
	*len_r = (size_t)n;
	if (modified_r != NULL)
		*modified_r = st.st_mtime;
	add_to_digest(b, s, *len_r);
	return s;
}

const char *
build_read_file(struct build *b, const char *path, size_t max, size_t *len_r, int64_t *modified_r,
		const char **error_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *s;

	if (fd < 0) {
		*error_r = strerror(errno);
		return NULL;
	}
	s = read_open_file(b, fd, max, len_r, modified_r, error_r);
	close(fd);
	return s;
}

const char *
build_path(struct build *b, const char *path)
{
	if (path[0] == '/')
		return arena_string(b->arena, path);
	return arena_printf(b->arena, "%s%s", b->folder, path);
}

/* Adds the file at `path` as a source; `where` names it, NULL for the first. */
static void
add_source(struct build *b, struct sources *all, const char *path, const struct node *where)
{
	const char *error, *s;
	struct node *root;
	size_t len;

	s = build_read_file(b, path, POLICY_FILE_MAX, &len, NULL, &error);
	if (s == NULL && where == NULL)
		problems_add(b->problems, true, path, 0, 0, "the file cannot be read: %s", error);
	else if (s == NULL)
		node_error(b->problems, where, "%s cannot be read: %s", path, error);
	root = s == NULL ? NULL : yaml_read(b->scratch, path, s, len, b->problems);
	if (root != NULL && schema_read(&schema_top, root, where != NULL, all->list[all->n].v, b->problems))
		all->n++;
}

static void
add_matches(struct build *b, struct sources *all, const struct node *n)
{
	const char *pattern = build_path(b, n->text);
	glob_t g = {0};
	int r = glob(pattern, GLOB_ERR, NULL, &g);

	if (r == GLOB_NOMATCH) {
		if (strpbrk(n->text, "*?[") == NULL)
			node_error(b->problems, n, "there is no file %s", pattern);
		else
			node_warning(b->problems, n, "no file matches %s", pattern);
	} else if (r != 0) {
		node_error(b->problems, n, "the files of %s cannot be listed: %s", pattern, strerror(errno));
	}
	for (size_t i = 0; r == 0 && i < g.gl_pathc; i++) {
		if (all->n >= FILES_MAX) {
			node_error(b->problems, n, "more than %u files are included", FILES_MAX);
			break;
		}
		add_source(b, all, g.gl_pathv[i], n);
	}
	globfree(&g);
}

static size_t
count_of(const struct sources *all, size_t option)
{
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		n += value_count(&all->list[i].v[option]);
	return n;
}

static void
read_tenants(struct build *b, const struct sources *all)
{
	struct policy *p = b->policy;

	p->tenants = arena_array(b->arena, count_of(all, TOP_TENANTS) + 1, sizeof *p->tenants);
	for (size_t i = 0; p->tenants != NULL && i < all->n; i++) {
		const struct value *v = &all->list[i].v[TOP_TENANTS];

		for (const struct node *n = value_first(v); n != NULL; n = value_next(v, n)) {
			size_t j;

			for (j = 0; j < p->n_tenants && strcmp(p->tenants[j].name, n->key->text) != 0; j++)
				;
			if (n->key->is_broken)
				continue;
			if (j < p->n_tenants) {
				node_error(b->problems, n->key, "a tenant \"%s\" stands in another file already", n->key->text);
				continue;
			}
			build_tenant(b, n, &p->tenants[p->n_tenants++]);
		}
	}
}

static void
read_signing(struct build *b, const struct sources *all)
{
	struct policy *p = b->policy;

	p->signing = arena_array(b->arena, count_of(all, TOP_SIGNING) + 1, sizeof *p->signing);
	for (size_t i = 0; p->signing != NULL && i < all->n; i++) {
		const struct value *v = &all->list[i].v[TOP_SIGNING];

		for (const struct node *n = value_first(v); n != NULL; n = value_next(v, n)) {
			struct signing *s = &p->signing[p->n_signing];

			if (n->key->is_broken)
				continue;
			build_signing(b, n, s);
			if (s->domain == NULL)
				continue;
			for (size_t j = 0; j < p->n_signing; j++)
				if (strcmp(p->signing[j].domain, s->domain) == 0)
					node_error(b->problems, n->key, "signing for %s stands twice; put its keys in one list",
						   s->domain);
			p->n_signing++;
		}
	}
}

static void
read_apps(struct build *b, const struct sources *all)
{
	struct policy *p = b->policy;

	p->apps = arena_array(b->arena, count_of(all, TOP_APPS) + 1, sizeof *p->apps);
	for (size_t i = 0; p->apps != NULL && i < all->n; i++) {
		const struct value *v = &all->list[i].v[TOP_APPS];

		for (const struct node *n = value_first(v); n != NULL; n = value_next(v, n))
			if (build_app(b, n, &p->apps[p->n_apps]))
				p->n_apps++;
	}
}

static void
read_rules(struct build *b, const struct sources *all)
{
	struct policy *p = b->policy;

	p->rules = arena_array(b->arena, count_of(all, TOP_RULES) + 1, sizeof *p->rules);
	for (size_t i = 0; p->rules != NULL && i < all->n; i++) {
		const struct value *v = &all->list[i].v[TOP_RULES];

		for (const struct node *n = value_first(v); n != NULL; n = value_next(v, n))
			build_rule(b, n, &p->rules[p->n_rules++]);
	}
}

static void
read_files(struct build *b, const char *file)
{
	struct sources all = {0};
	const struct value *include;

	all.list = arena_array(b->scratch, FILES_MAX + 1, sizeof *all.list);
	if (all.list == NULL)
		return;
	add_source(b, &all, file, NULL);
	if (all.n == 0)
		return;
	include = &all.list[0].v[TOP_INCLUDE];
	build_top(b, all.list[0].v);
	for (const struct node *n = value_first(include); n != NULL; n = value_next(include, n))
		add_matches(b, &all, n);
	read_tenants(b, &all);
	read_signing(b, &all);
	read_apps(b, &all);
	read_rules(b, &all);
	if (b->policy->n_tenants == 0 && problems_errors(b->problems) == 0)
		problems_add(b->problems, true, file, 1, 1, "no tenant is defined; expected at least one in \"tenants\"");
	build_cross_check(b, &all.list[0].v[TOP_NOTIFY]);
}

static void
finish(struct build *b, const char *file)
{
	bool ok;

	b->policy->digest = arena_printf(b->arena, "%016" PRIx64, b->digest);
	ok = !arena_failed(b->scratch);
	if (problems_errors(b->problems) == 0)
		ok = policy_finish(b->policy) == 0 && ok;
	if (!ok || arena_failed(b->arena))
		problems_add(b->problems, true, file, 0, 0, "memory is short");
	problems_sort(b->problems);
	if (problems_errors(b->problems) > 0)
		policy_unref(&b->policy);
}

struct policy *
policy_load(const char *file, struct problems **problems_r)
{
	struct build b = {.digest = FNV_OFFSET, .problems = problems_new()};
	const char *slash = strrchr(file, '/');

	*problems_r = b.problems;
	if (b.problems == NULL)
		return NULL;
	b.policy = policy_new();
	b.scratch = arena_new(0);
	if (b.policy == NULL || b.scratch == NULL) {
		problems_add(b.problems, true, file, 0, 0, "memory is short");
		policy_unref(&b.policy);
	} else {
		b.arena = b.policy->arena;
		b.folder = slash == NULL ? "" : arena_substring(b.scratch, file, (size_t)(slash - file) + 1);
		read_files(&b, file);
		finish(&b, file);
	}
	arena_free(&b.scratch);
	return b.policy;
}
