/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A session driven by any order of callbacks, with a store, signer and memory
 * that fail. Nothing is accepted but a whole message of an app with one From
 * (or one only watched); replies are printable; deletions go downwards.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gate/session.h"
#include "policy/file/file.h"
#include "tests/scenario/fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);

static long fail_in; /* allocations until one fails; 0 never */

static int
fails(void)
{
	return fail_in > 0 && --fail_in == 0;
}

void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t m)
{
	return fails() ? NULL : __real_calloc(n, m);
}

static struct gate gate;

static void
quiet(void *context, bool is_error, const char *line)
{
	(void)context;
	(void)is_error;
	(void)line;
}

static void
set_up(void)
{
	const char *file = getenv("POLICY");
	struct problems *problems = NULL;
	struct policy *p = policy_load(file == NULL ? "tests/scenario/policy.yaml" : file, &problems);

	if (p == NULL) {
		problems_print(problems, stderr);
		abort();
	}
	problems_free(&problems);
	gate = (struct gate){.signer = fake_signer(), .clock = fake_clock(), .relay = "relay.contoso.com", .log = quiet,
			     .snapshots = snapshot_holder_new(snapshot_new(p))};
}

struct input {
	const uint8_t *data;
	size_t size;
};

static uint8_t
octet(struct input *in)
{
	if (in->size == 0)
		return 0;
	in->size--;
	return *in->data++;
}

/* A string up to the next newline, or one of the words that lead somewhere. */
static const char *
string(struct input *in, char buf[256])
{
	static const char *const words[] = {
		"<crm@contoso.com>", "<scanner@contoso.com>", "<trial@contoso.com>", "<bob@example.net>",
		"<alice@contoso.com>", "<>", "From", "Subject", " CRM <crm@contoso.com>", "<root@contoso.com>",
		" scanner@contoso.com", "X-MS-Exchange-Organization-SCL",
	};
	uint8_t which = octet(in);
	size_t n = 0;

	if (which < 200)
		return words[which % (sizeof words / sizeof words[0])];
	while (n < 255 && in->size > 0 && *in->data != '\n' && *in->data != '\0')
		buf[n++] = (char)octet(in);
	octet(in);
	buf[n] = '\0';
	return buf;
}

static void
check_reply(const struct reply *r)
{
	if (strlen(r->text) > 512)
		abort();
	for (const char *p = r->text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			abort();
	if (r->action == ACTION_REFUSE && (r->code < 400 || r->code > 599))
		abort();
}

static void
check_edits(const struct edit *e)
{
	const struct edit *before = NULL;

	for (; e != NULL; before = e, e = e->next) {
		if (before != NULL && before->insert && !e->insert)
			abort();
		if (before != NULL && !before->insert && !e->insert && text_same(before->name, e->name) &&
		    before->index <= e->index)
			abort();
	}
}

static void
end_message(struct session *s)
{
	const struct edit *edits = NULL;
	const struct reply *r = session_eom(s, "4QUEUE", &edits);
	const struct message *m = session_message(s);

	check_reply(r);
	check_edits(edits);
	if (r->action != ACTION_ACCEPT && r->action != ACTION_HOLD)
		return;
	if (m == NULL || m->accepted == 0)
		abort();
	if (m->mode == MODE_ENFORCE && (m->app == NULL || header_count(&m->header, "From") != 1 || !m->has_from))
		abort();
}

static const struct session_connect clients[] = {
	{.ip = {.family = NETWORK_IPV4, .octets = {10, 1, 2, 3}}}, {.ip = {.family = NETWORK_IPV4, .octets = {10, 1, 9, 7}}},
	{.ip = {.family = NETWORK_IPV4, .octets = {10, 1, 7, 1}}}, {.ip = {.family = NETWORK_IPV4, .octets = {10, 1, 8, 2}}},
	{.ip = {.family = NETWORK_NONE}},
};

static void
step(struct session *s, struct input *in)
{
	char a[256], b[256];
	uint8_t how;
	struct session_mail mail = {0};

	switch (octet(in) % 12) {
	case 0:
	case 1:
		mail.sender = string(in, a);
		mail.picked_up = octet(in) == 7;
		check_reply(session_mail(s, &mail));
		break;
	case 2:
	case 3:
		check_reply(session_rcpt(s, string(in, a), NULL, NULL, NULL));
		break;
	case 4:
	case 5: {
		const char *name = string(in, a);

		session_header(s, name, string(in, b));
		break;
	}
	case 6:
		session_eoh(s);
		break;
	case 7: {
		const char *text = string(in, a);

		session_body(s, text, strlen(text));
		break;
	}
	case 8:
	case 9:
		end_message(s);
		break;
	case 10:
		session_abort(s);
		break;
	default:
		how = octet(in);
		fake.store_fails = how % 2;
		fake.store_away = how / 2 % 2;
		fake.store_late = how / 4 % 2;
		fake.signer_fails = octet(in) % 2;
		fake.boot_ms += octet(in) * 1000;
		if (octet(in) % 4 == 0)
			fail_in = octet(in);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct session *s;

	if (gate.snapshots == NULL)
		set_up();
	fake.store_fails = fake.store_away = fake.store_late = fake.signer_fails = false;
	gate.store = fake_store();
	s = session_new(&gate, &clients[octet(&in) % (sizeof clients / sizeof clients[0])]);
	for (int steps = 0; s != NULL && in.size > 0 && steps < 500; steps++)
		step(s, &in);
	fail_in = 0;
	session_free(&s);
	store_close(&gate.store);
	return 0;
}
