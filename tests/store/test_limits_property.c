/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The guarantee on limits, against a plain list of events that shares no code
 * with the store: random messages, restarts, wall clock jumps and reboots. In
 * no interval of length T are more than N units admitted; capacity comes back
 * at most T/60 late; what was refused is never charged. The seed is printed;
 * SEED sets it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/id.h"
#include "sql/store.h"

#define EVENTS_MAX 100000
#define MINUTE 60

/* True time, of which wall and boot clock are views. */
static int64_t now_ms = INT64_C(1700000000000), wall_offset, boot_start;
static char boot_name[32] = "boot-0";
static uint64_t state;

static struct event {
	int64_t time;
	uint64_t amount;
} events[EVENTS_MAX];
static size_t n_events, first_comparable;

static uint64_t
chance(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

static int64_t
wall(void *context)
{
	(void)context;
	return now_ms + wall_offset;
}

static int64_t
boot(void *context)
{
	(void)context;
	return now_ms - boot_start;
}

static const char *
boot_id(void *context)
{
	(void)context;
	return boot_name;
}

static void
octets(void *context, uint8_t *buf, size_t len)
{
	(void)context;
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)chance(256);
}

static const struct clock test_clock = {.wall_ms = wall, .boot_ms = boot, .boot_id = boot_id, .random = octets};

static void
quiet(void *context, bool is_error, const char *line)
{
	(void)context;
	(void)is_error;
	(void)line;
}

static struct store *
reopen(const char *url)
{
	struct store_options o = {.url = url, .durability = STORE_DURABILITY_PROCESS, .relay = "test",
				  .clock = &test_clock, .log = quiet};
	char error[512] = "";
	struct store *s = store_open(&o, error, sizeof error);

	if (s == NULL) {
		printf("store_open: %s\n", error);
		exit(1);
	}
	return s;
}

static void
settle(struct admit *a, bool stopped)
{
	a->record->verdict = stopped ? "defer" : "accept";
}

static struct record
blank_record(const char *id)
{
	return (struct record){
		.id = id, .time = now_ms, .relay = "", .queue_id = "", .stage = "eom", .verdict = "accept",
		.would = "accept", .mode = "enforce", .reason = "", .code = 250, .enhanced = "", .text = "",
		.app = "a", .tenant = "", .method = "", .department = "", .client = "", .client_name = "",
		.helo = "", .login = "", .tls = "", .certificate = "", .sender = "", .sender_domain = "",
		.header_from = "", .header_from_domain = "", .header_sender = "", .subject = "", .message_id = "",
		.signing = "", .policy = "", .trace = "",
	};
}

/* Whether the store took the message. */
static bool
admit(struct store *s, uint64_t count, uint32_t period, uint64_t amount)
{
	uint8_t random[ID_RANDOM_OCTETS];
	struct id id;
	struct record r;
	struct charge c = {.scope = "app:a", .unit = UNIT_MESSAGES, .period = period, .key = "", .name = "a/x",
			   .count = count, .amount = amount, .over = OVER_DEFER, .enforced = true};
	struct admit a = {.record = &r, .charges = &c, .n_charges = 1, .settle = settle};
	const char *error = "";

	octets(NULL, random, sizeof random);
	id = id_make(now_ms, random);
	r = blank_record(id.s);
	if (store_admit(s, &a, &error) != 0) {
		printf("store_admit: %s\n", error);
		exit(1);
	}
	return a.charged;
}

/* Units in (now - span, now], counted from event `from` on. */
static uint64_t
plain_sum(int64_t span_ms, size_t from)
{
	uint64_t sum = 0;

	for (size_t i = n_events; i > from && events[i - 1].time > now_ms - span_ms; i--)
		sum += events[i - 1].amount;
	return sum;
}

static int
step(struct store *s, uint64_t count, uint32_t period)
{
	int64_t span = (int64_t)period * 1000;
	uint64_t amount = 1 + chance(count / 4 + 1);

	if (admit(s, count, period, amount)) {
		events[n_events++] = (struct event){now_ms, amount};
		if (plain_sum(span, first_comparable) > count) {
			printf("over the limit: %llu in %u s at event %zu\n",
			       (unsigned long long)plain_sum(span, first_comparable), period, n_events);
			return -1;
		}
	} else if (now_ms - boot_start > 2 * span && plain_sum(span + span / 60, 0) + amount <= count) {
		printf("refused although there was room for longer than T/60, at event %zu\n", n_events);
		return -1;
	}
	return 0;
}

/* Another boot: the wall clock may stand anywhere. Set ahead, it lets the
 * limits' clock move on (that is all it can know), so what was before no longer
 * compares; set back or right, it must not free anything. */
static void
reboot(unsigned round)
{
	int64_t before = wall_offset;

	snprintf(boot_name, sizeof boot_name, "boot-%u", round);
	now_ms += (int64_t)chance(30000);
	boot_start = now_ms;
	wall_offset += (int64_t)chance(7200000) - 5400000;
	if (wall_offset > before)
		first_comparable = n_events;
}

static int
run(const char *url, uint64_t count, uint32_t period)
{
	struct store *s = reopen(url);
	int64_t latest_offset = wall_offset;
	int result = 0;

	n_events = first_comparable = 0;
	for (unsigned i = 0; i < 3000 && result == 0 && n_events < EVENTS_MAX; i++) {
		uint64_t what = chance(200);

		now_ms += (int64_t)chance((uint64_t)period * 1000 / 20);
		if (what == 0) {
			now_ms += (int64_t)period * 1000 * 2;
		} else if (what < 4) {
			wall_offset += (int64_t)chance(20000000) - 10000000; /* within a boot: nothing */
		} else if (what < 6) {
			store_close(&s);
			s = reopen(url);
		} else if (what < 8) {
			store_close(&s);
			reboot(i);
			/* Jumps since the last anchor count as set ahead too. */
			if (wall_offset > latest_offset)
				first_comparable = n_events;
			latest_offset = wall_offset;
			s = reopen(url);
		}
		result = step(s, count, period);
	}
	store_close(&s);
	printf("%llu per %u s: %zu messages taken\n", (unsigned long long)count, period, n_events);
	return result;
}

int
main(void)
{
	static const struct {
		uint64_t count;
		uint32_t period;
	} limits[] = {{1, MINUTE}, {7, MINUTE}, {30, 15 * MINUTE}, {100, 60 * MINUTE}, {500, 24 * 60 * MINUTE}};
	const char *seed = getenv("SEED");
	char folder[] = "/tmp/postern-limits-XXXXXX", url[128], path[128];
	int result = 0;

	state = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL) * 2654435761u + 1;
	printf("SEED=%llu\n", (unsigned long long)state);
	if (mkdtemp(folder) == NULL)
		return 1;
	for (size_t i = 0; i < sizeof limits / sizeof limits[0] && result == 0; i++) {
		snprintf(url, sizeof url, "sqlite:%s/%zu.db", folder, i);
		result = run(url, limits[i].count, limits[i].period);
	}
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		static const char *const tails[] = {"", "-wal", "-shm", ".lock"};

		for (size_t j = 0; j < 4; j++) {
			snprintf(path, sizeof path, "%s/%zu.db%s", folder, i, tails[j]);
			unlink(path);
		}
	}
	rmdir(folder);
	return result == 0 ? 0 : 1;
}
