/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The outside world of the scenario runner and the session fuzzer: a store, a
 * signer and a clock that do what the script says. The store is a plain list of
 * events and shares no code with sql/.
 */
#ifndef POSTERN_TESTS_SCENARIO_FAKE_H
#define POSTERN_TESTS_SCENARIO_FAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "gate/sign.h"
#include "sql/store.h"

struct fake {
	int64_t wall_ms, boot_ms;
	bool store_fails, store_away, store_late; /* it fails; for the server is away; after it has weighed */
	uint64_t waiting;         /* held messages that wait for each limit that holds */
	uint64_t shares;          /* the store grants one of so many of each limit; 0: the whole */
	bool signer_fails;
	/* What was last written. */
	char last_verdict[16], last_would[16], last_reason[128];
	char last_rules[400];     /* " NAME" of each, then "?" for unknown, "~" for on trial, "*" where it decided */
	char last_trace[4000];
	/* What the signer was given last: "NAME: VALUE|" of each added field; octets of the body. */
	char last_added[400];
	uint64_t last_body;
	unsigned last_charged;    /* charges of the message that was admitted last */
	unsigned records, refusals, unrecorded;
};

extern struct fake fake;

const struct clock *fake_clock(void);
const struct signer *fake_signer(void);
/* A store that forgets all; free with store_close(). */
struct store *fake_store(void);

#endif
