/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The engine: one function per SMTP stage. Facts and policy in, decision and
 * trace out. Opens no file, asks no clock, knows no milter and no SQL.
 */
#ifndef POSTERN_POLICY_DECIDE_H
#define POSTERN_POLICY_DECIDE_H

#include "policy/message.h"

/* After MAIL: which app, is the envelope sender its own. m->sender_typed,
 * m->sender_macro and m->client are set. Sets app, tenant, mode, sender. */
void decide_mail(struct message *m);

/* After one RCPT: parses, places and judges it. `macro` is the address as the
 * MTA understood it (NULL when it does not say), `mailer` its delivery agent
 * ("" when it does not say). Adds it to m->recipients. A refusal of this
 * recipient alone is the result (verdict ACCEPT when it may stay); where the
 * MTA cannot refuse a single recipient (m->picked_up) the message is refused
 * instead and the result is ACCEPT. */
struct decision decide_recipient(struct message *m, const char *typed,
				 const char *macro, const char *mailer);

/* After the header: who wrote it, and which keys sign. */
void decide_header(struct message *m);

/* At end of message: size and form of the body. */
void decide_body(struct message *m);

#endif
