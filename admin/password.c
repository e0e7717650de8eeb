/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See password.h. The only file that knows libcrypt. A strong hash takes a tenth of a second, and a page asks
 * twice: what was right is kept as a cheap hash under a setting that only this process knows.
 */
#include "config.h"

#include "admin/password.h"

#include <crypt.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"

#define USERS 200
#define LINE 1024
#define KNOWN_MS INT64_C(300000)
/* So many wrong ones at once, then one more each six seconds. */
#define GUESSES 10
#define GUESS_MS INT64_C(6000)

struct user {
	char name[128], hash[CRYPT_OUTPUT_SIZE];
	char known[CRYPT_OUTPUT_SIZE]; /* the cheap hash of the password that was right ... */
	int64_t known_until;      /* ... until then */
};

struct passwords {
	pthread_mutex_t mutex;
	char *file;
	struct stat seen;
	struct user users[USERS];
	size_t n;
	char setting[64];         /* of the cheap hash */
	int64_t guesses_ms;       /* when all guesses are allowed again, were there no more */
	struct crypt_data data;
};

static int64_t
now_ms(void)
{
	return clock_system()->boot_ms(clock_system()->context);
}

/* The hash that the password has under this setting; "" where there is none. */
static const char *
hash_of(struct passwords *p, const char *password, const char *setting)
{
	const char *hash = crypt_r(password, setting, &p->data);

	return hash == NULL || hash[0] == '*' ? "" : hash;
}

/* In a time that does not depend on where they differ. */
static bool
is_equal(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned differ = n != m || n == 0;

	for (size_t i = 0; i < n && i < m; i++)
		differ |= (unsigned char)a[i] ^ (unsigned char)b[i];
	return differ == 0;
}

static const struct {
	const char *begins;
	size_t digest;            /* characters behind the last $ */
	const char *cost;         /* the least that is written behind `begins`, where it begins like that */
} methods[] = {
	{"$y$", 43, NULL}, {"$7$", 43, NULL}, {"$2b$", 53, "10"}, {"$2y$", 53, "10"}, {"$6$", 86, "rounds=5000"},
};

static bool
is_cheap(const char *cost, const char *least)
{
	size_t word = least == NULL ? 0 : strcspn(least, "0123456789");

	return least != NULL && strncmp(cost, least, word) == 0 && atol(cost + word) < atol(least + word);
}

/* NULL, or what is wrong with it. */
static const char *
judge_hash(const char *hash)
{
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		if (strncmp(hash, methods[i].begins, strlen(methods[i].begins)) != 0)
			continue;
		if (is_cheap(hash + strlen(methods[i].begins), methods[i].cost))
			return "the hash is made with too little work; mkpasswd -m yescrypt makes a better one";
		if (strlen(strrchr(hash, '$') + 1) != methods[i].digest || crypt_checksalt(hash) != CRYPT_SALT_OK)
			return "the hash is not whole";
		return NULL;
	}
	return "a hash by yescrypt ($y$), scrypt ($7$), bcrypt ($2b$) or sha512crypt ($6$) is expected; mkpasswd -m yescrypt makes one";
}

/* One line, taken apart; NULL, or what is wrong with it. */
static const char *
read_line(struct passwords *p, char *line)
{
	char *colon = strchr(line, ':');
	struct user *u = &p->users[p->n];

	line[strcspn(line, "\r\n")] = '\0';
	if (line[0] == '\0' || line[0] == '#')
		return NULL;
	if (colon == NULL || colon == line)
		return "NAME:HASH is expected";
	*colon = '\0';
	if (p->n == USERS)
		return "there are too many names";
	if (strlen(line) >= sizeof u->name || strlen(colon + 1) >= sizeof u->hash)
		return "the line is too long";
	memset(u, 0, sizeof *u);
	memcpy(u->name, line, strlen(line));
	memcpy(u->hash, colon + 1, strlen(colon + 1));
	p->n++;
	return judge_hash(u->hash);
}

static const char *
judge_file(FILE *f, struct stat *st)
{
	if (fstat(fileno(f), st) != 0)
		return strerror(errno);
	if (!S_ISREG(st->st_mode))
		return "it is not a file";
	if ((st->st_mode & 0027) != 0)
		return "others can read or write it; chmod 640, or 600";
	return NULL;
}

/* 0, or -1 with a text. */
static int
load(struct passwords *p, char *error_r, size_t error_size)
{
	FILE *f = fopen(p->file, "re");
	const char *wrong = f == NULL ? strerror(errno) : judge_file(f, &p->seen);
	char line[LINE];
	unsigned number = 0;

	p->n = 0;
	while (wrong == NULL && fgets(line, sizeof line, f) != NULL) {
		number++;
		wrong = strchr(line, '\n') == NULL && !feof(f) ? "the line is too long" : read_line(p, line);
	}
	if (wrong == NULL && ferror(f))
		wrong = "it cannot be read";
	if (wrong == NULL && p->n == 0)
		wrong = "it has no names";
	if (wrong != NULL && number > 0)
		snprintf(error_r, error_size, "%s:%u: %s", p->file, number, wrong);
	else if (wrong != NULL)
		snprintf(error_r, error_size, "%s: %s", p->file, wrong);
	if (wrong != NULL)
		p->n = 0;
	if (f != NULL)
		fclose(f);
	explicit_bzero(line, sizeof line);
	return wrong == NULL ? 0 : -1;
}

/* "$6$rounds=1000$" and what nobody can guess. */
static void
make_setting(struct passwords *p)
{
	static const char letters[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint8_t chance[16];
	int n = snprintf(p->setting, sizeof p->setting, "$6$rounds=1000$");

	clock_system()->random(clock_system()->context, chance, sizeof chance);
	for (size_t i = 0; i < sizeof chance; i++)
		p->setting[n++] = letters[chance[i] & 63];
	p->setting[n] = '\0';
}

struct passwords *
passwords_open(const char *file, char *error_r, size_t error_size)
{
	struct passwords *p = calloc(1, sizeof *p);

	if (p != NULL && (p->file = strdup(file)) != NULL && pthread_mutex_init(&p->mutex, NULL) == 0) {
		make_setting(p);
		if (load(p, error_r, error_size) == 0)
			return p;
	} else {
		snprintf(error_r, error_size, "memory is short");
	}
	passwords_free(&p);
	return NULL;
}

void
passwords_free(struct passwords **p)
{
	if (*p != NULL) {
		free((*p)->file);
		explicit_bzero(*p, sizeof **p);
	}
	free(*p);
	*p = NULL;
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_mode == b->st_mode && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Reads the file anew when it is another one; says once what is wrong with it. */
static void
renew(struct passwords *p)
{
	struct stat st;
	char error[400];

	memset(&st, 0, sizeof st); /* what no file has */
	(void)stat(p->file, &st);
	if (is_same_file(&st, &p->seen))
		return;
	if (load(p, error, sizeof error) != 0)
		fprintf(stderr, "postern dashboard: nobody is let in: %s\n", error);
	p->seen = st;
}

/* Whether one more guess is allowed; it is counted. */
static bool
may_guess(struct passwords *p, int64_t now)
{
	if (p->guesses_ms < now)
		p->guesses_ms = now;
	if (p->guesses_ms - now > (GUESSES - 1) * GUESS_MS)
		return false;
	p->guesses_ms += GUESS_MS;
	return true;
}

static enum password_answer
check(struct passwords *p, const char *name, const char *password)
{
	int64_t now = now_ms();
	struct user *u = NULL;

	for (size_t i = 0; i < p->n; i++)
		if (is_equal(p->users[i].name, name))
			u = &p->users[i];
	if (u != NULL && now < u->known_until && is_equal(hash_of(p, password, p->setting), u->known))
		return PASSWORD_RIGHT;
	if (p->n == 0 || !may_guess(p, now))
		return p->n == 0 ? PASSWORD_WRONG : PASSWORD_LATER;
	if (!is_equal(hash_of(p, password, u == NULL ? p->users[0].hash : u->hash), u == NULL ? "" : u->hash))
		return PASSWORD_WRONG;
	p->guesses_ms -= GUESS_MS;
	snprintf(u->known, sizeof u->known, "%s", hash_of(p, password, p->setting));
	u->known_until = now + KNOWN_MS;
	return PASSWORD_RIGHT;
}

enum password_answer
passwords_check(struct passwords *p, const char *name, const char *password)
{
	enum password_answer a;

	pthread_mutex_lock(&p->mutex);
	renew(p);
	a = check(p, name, password);
	explicit_bzero(&p->data, sizeof p->data);
	pthread_mutex_unlock(&p->mutex);
	return a;
}
