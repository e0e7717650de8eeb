/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How fast body rules are, and how far beyond its budget a search may run: the
 * longest CPU time between two questions to the budget. Each with JIT and without.
 *     tests/bench/regex [MiB]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/regex-private.h"

#define PIECE (64u * 1024)
#define BUDGET_US 500000

struct sample {
	const char *name;
	char *s;
	size_t len;
};

static int64_t last_us, gap_us;

static int64_t
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t
spent(void *context)
{
	int64_t now = cpu_us();

	if (now - last_us > gap_us)
		gap_us = now - last_us;
	last_us = now;
	return now - *(int64_t *)context;
}

static void
add(struct sample *t, size_t size, const char *s)
{
	size_t n = strlen(s);

	n = n < size - t->len ? n : size - t->len;
	memcpy(t->s + t->len, s, n);
	t->len += n;
}

static struct sample
make_sample(const char *name, size_t size, const char *const *words, size_t n)
{
	struct sample t = { name, malloc(size), 0 };
	unsigned seed = 1;

	if (t.s == NULL)
		exit(1);
	while (t.len < size) {
		seed = seed * 1103515245u + 12345u;
		add(&t, size, words[(seed >> 16) % n]);
	}
	return t;
}

static const char *const mail_words[] = {
	"the ", "quarterly ", "report ", "of ", "our ", "people ", "is ", "attached, ", "please ", "find ",
	"numbers ", "for ", "payment ", "in ", "March ", "and ", "price ", "list ", "2026 ", "invoice\r\n",
	"45.00 ", "EUR ", "contact ", "sales@contoso.com ", "regards,\r\n", "phone ", "+49 30 1234567 ", "with ",
	"to ", "a ", "paper\r\n", "payable ",
};
static const char *const cyrillic_words[] = {
	"\xd0\xbe\xd1\x82\xd1\x87\xd1\x91\xd1\x82 ", "\xd0\xb7\xd0\xb0 ",
	"\xd0\xba\xd0\xb2\xd0\xb0\xd1\x80\xd1\x82\xd0\xb0\xd0\xbb\r\n",
};
static const char *const only_a[] = { "a" };
#define A60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
static const char *const short_lines[] = { A60 A60 A60 A60 "\n", "aaaaaaaaaaaa\n" };
static const char *const commas[] = { "a,", "b,", "aab,", "ab ab ", "aaaa", "1," };
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static enum found
scan(const struct regex *r, const struct sample *t, int64_t budget_us)
{
	struct arena *a = arena_new(0);
	int64_t began = cpu_us();
	struct regex_budget b = { spent, &began, budget_us };
	struct regex_scan *scan = regex_scan_new(a, r, &b);
	enum found found;

	last_us = began;
	gap_us = 0;
	for (size_t i = 0; i < t->len; i += PIECE)
		if (regex_scan_add(scan, t->s + i, t->len - i < PIECE ? t->len - i : PIECE))
			break;
	found = regex_scan_end(scan);
	(void)spent(&began);
	regex_scan_free(&scan);
	arena_free(&a);
	return found;
}

static struct regex *
make(const char *pattern, const char *flags, bool no_jit)
{
	struct regex_how how = regex_how_default;
	size_t column;
	char error[160];
	struct regex *r;

	how.no_jit = no_jit;
	r = regex_compile(pattern, flags, &how, &column, error, sizeof error);
	if (r == NULL) {
		fprintf(stderr, "/%s/: column %zu: %s\n", pattern, column, error);
		exit(1);
	}
	return r;
}

static const char *const found_names[] = { "no", "YES", "?" };

static void
speed(const struct sample *t)
{
	static const char *const rows[][2] = {
		{ "payroll", "i" }, { "\\bpayroll\\b", "i" }, { "SECRET-MARKER", "" },
		{ "(overdue|wire transfer|swift code)", "i" },
		{ "\\b\\d{4}[ -]?\\d{4}[ -]?\\d{4}[ -]?\\d{4}x\\b", "" },
		{ "[\\w.+-]+@fabrikam\\.com", "" }, { "(?<!do not )reply", "i" }, { "^Subject: .*secret", "m" },
		{ "march.*payable.*nowhere", "i" }, { "payment.*nowhere", "is" },
	};

	printf("\nMB/s, %zu MB of %s\n%-45s %8s %8s\n", t->len / 1000000, t->name, "", "JIT", "no JIT");
	for (size_t i = 0; i < COUNT(rows); i++) {
		printf("%-45s", rows[i][0]);
		for (int no_jit = 0; no_jit < 2; no_jit++) {
			struct regex *r = make(rows[i][0], rows[i][1], no_jit != 0);
			int64_t began = cpu_us();
			enum found found = scan(r, t, 2000000);

			printf(" %8.0f %-3s", (double)t->len / (double)(cpu_us() - began), found_names[found]);
			fflush(stdout);
			regex_free(&r);
		}
		printf("\n");
	}
}

static void
overrun(const struct sample *t)
{
	static const char *const rows[][2] = {
		{ "(a+)+$", "" }, { "(a|aa)+$", "" }, { "(.*)*x", "" }, { "(a|b|ab)*c", "" },
		{ "(?:.*?,){20}x", "" },
		{ "[^X]*(Z|Y)", "" }, { "[^X]*Z", "" }, { "((a*)*)*b", "" }, { "(\\w+)\\s\\1", "" },
		{ "(?<=a{40})b.*Z", "" }, { "a(?R)?b", "" }, { "(?:(?!.*Z)a)*b", "" }, { "(?:(?!.*Z)a)*b", "s" },
		{ "(?:[^X]*Z|a)*b", "" }, { "(\\w*)*\\1Z", "i" }, { "(?s:.*,.*,.*Z)", "" }, { "a*a*a*a*a*Z", "" },
		{ "(?:(?![^X]*+X)a)*b", "" }, { "(.*)\\1Z", "s" },
	};

	printf("\nlongest time between two questions and time in all, ms; budget %d ms, %zu octets of %s\n",
	       BUDGET_US / 1000, t->len, t->name);
	printf("%-30s %16s %16s\n", "", "JIT", "no JIT");
	for (size_t i = 0; i < COUNT(rows); i++) {
		printf("%-26s %-3s", rows[i][0], rows[i][1]);
		for (int no_jit = 0; no_jit < 2; no_jit++) {
			struct regex *r = make(rows[i][0], rows[i][1], no_jit != 0);
			int64_t began = cpu_us();
			enum found found = scan(r, t, BUDGET_US);

			printf(" %6.2f %5.0f %-3s", (double)gap_us / 1000, (double)(cpu_us() - began) / 1000,
			       found_names[found]);
			fflush(stdout);
			regex_free(&r);
		}
		printf("\n");
	}
}

int
main(int argc, char **argv)
{
	size_t size = (argc > 1 ? (size_t)atoi(argv[1]) : 35) * 1000000;
	struct sample t = make_sample("mail", size, mail_words, COUNT(mail_words));
	struct sample u = make_sample("mail in Cyrillic", size / 5, cyrillic_words, COUNT(cyrillic_words));
	const struct sample hard[] = {
		make_sample("aaaa...", 1u << 20, only_a, 1),
		make_sample("lines of a", 1u << 20, short_lines, COUNT(short_lines)),
		make_sample("a, b, comma and blank", 1u << 20, commas, COUNT(commas)),
		make_sample("mail", 1u << 20, mail_words, COUNT(mail_words)),
	};

	speed(&t);
	speed(&u);
	for (size_t i = 0; i < COUNT(hard); i++) {
		overrun(&hard[i]);
		free(hard[i].s);
	}
	free(t.s);
	free(u.s);
	return 0;
}
