/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * libmilter's callbacks: unpack, call the session, hand back. libmilter runs
 * the callbacks of one session on changing threads, so nothing here is kept per
 * thread and no lock is held.
 */
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "milter/milter.h"
#include "milter/reply.h"

static const struct gate *gate;
static atomic_uint running;

struct connection {
	struct session *session;
	bool leading_space;
};

unsigned
callbacks_running(void)
{
	return atomic_load(&running);
}

static const char *
macro(SMFICTX *ctx, const char *name)
{
	char buf[32];

	strncpy(buf, name, sizeof buf - 1);
	buf[sizeof buf - 1] = '\0';
	return smfi_getsymval(ctx, buf);
}

static struct connection *
connection(SMFICTX *ctx)
{
	struct connection *c = smfi_getpriv(ctx);

	if (c == NULL) {
		c = calloc(1, sizeof *c);
		if (c != NULL && smfi_setpriv(ctx, c) != MI_SUCCESS) {
			free(c);
			c = NULL;
		}
	}
	return c;
}

/* The session, begun without an address where the MTA did not say CONNECT. */
static struct session *
session(SMFICTX *ctx)
{
	static const struct session_connect nobody;
	struct connection *c = connection(ctx);

	if (c != NULL && c->session == NULL)
		c->session = session_new(gate, &nobody);
	return c == NULL ? NULL : c->session;
}

static void
ask_macros(SMFICTX *ctx)
{
	char connect[] = "j {daemon_name} {client_addr} {client_name} {client_port}";
	char helo[] = "{tls_version} {verify} {cert_subject} {cert_issuer}";
	char mail[] = "i {auth_type} {auth_authen} {mail_addr} {mail_mailer} {mail_host}";
	char rcpt[] = "i {rcpt_addr} {rcpt_mailer} {rcpt_host}";
	char eom[] = "i";

	(void)smfi_setsymlist(ctx, SMFIM_CONNECT, connect);
	(void)smfi_setsymlist(ctx, SMFIM_HELO, helo);
	(void)smfi_setsymlist(ctx, SMFIM_ENVFROM, mail);
	(void)smfi_setsymlist(ctx, SMFIM_ENVRCPT, rcpt);
	(void)smfi_setsymlist(ctx, SMFIM_EOM, eom);
}

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2, unsigned long f3,
	     unsigned long *pf0, unsigned long *pf1, unsigned long *pf2, unsigned long *pf3)
{
	unsigned long need = SMFIF_ADDHDRS | SMFIF_CHGHDRS;
	struct connection *c = connection(ctx);

	(void)f2;
	(void)f3;
	*pf2 = *pf3 = 0;
	if (c == NULL || (f0 & need) != need)
		return SMFIS_REJECT;
	*pf0 = need | (f0 & (SMFIF_QUARANTINE | SMFIF_SETSYMLIST));
	*pf1 |= f1 & (SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY |
		      SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_HDR_LEADSPC);
	c->leading_space = (f1 & SMFIP_HDR_LEADSPC) != 0;
	if ((f0 & SMFIF_SETSYMLIST) != 0)
		ask_macros(ctx);
	return SMFIS_CONTINUE;
}

static void
read_address(const _SOCK_ADDR *address, struct ip *ip)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (address == NULL)
		return;
	if (address->sa_family == AF_INET) {
		memcpy(&v4, address, sizeof v4);
		ip_from_octets(NETWORK_IPV4, &v4.sin_addr, ip);
	} else if (address->sa_family == AF_INET6) {
		memcpy(&v6, address, sizeof v6);
		ip_from_octets(NETWORK_IPV6, &v6.sin6_addr, ip);
	}
}

static sfsistat
on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *address)
{
	struct session_connect facts = {.name = name, .relay = macro(ctx, "j")};
	struct connection *c = connection(ctx);

	read_address(address, &facts.ip);
	if (c == NULL)
		return SMFIS_TEMPFAIL;
	session_free(&c->session);
	c->session = session_new(gate, &facts);
	return c->session == NULL ? SMFIS_TEMPFAIL : SMFIS_NOREPLY;
}

static sfsistat
on_helo(SMFICTX *ctx, char *name)
{
	struct session *s = session(ctx);

	if (s != NULL)
		session_helo(s, name);
	return SMFIS_NOREPLY;
}

/* Postfix's pickup shows itself by the queue id at MAIL, port 0 and no mailer. */
static bool
is_picked_up(SMFICTX *ctx)
{
	const char *port = macro(ctx, "{client_port}");
	const char *address = macro(ctx, "{client_addr}");

	return macro(ctx, "i") != NULL && macro(ctx, "{mail_mailer}") == NULL && port != NULL &&
	       strcmp(port, "0") == 0 && address != NULL &&
	       (strcmp(address, "127.0.0.1") == 0 || text_same(address, "::1"));
}

/* A fact of the client's certificate. Postfix names only what it has verified;
 * Sendmail names all, and says in {verify} what came of it. */
static const char *
certificate(SMFICTX *ctx, const char *name)
{
	const char *verify = macro(ctx, "{verify}");

	return verify == NULL || strcmp(verify, "OK") == 0 ? macro(ctx, name) : NULL;
}

static sfsistat
on_mail(SMFICTX *ctx, char **argv)
{
	struct session *s = session(ctx);
	struct session_mail mail = {
		.sender = argv[0], .understood = macro(ctx, "{mail_addr}"), .queue_id = macro(ctx, "i"),
		.login = macro(ctx, "{auth_authen}"), .tls = macro(ctx, "{tls_version}"),
		.cert_subject = certificate(ctx, "{cert_subject}"),
		.cert_issuer = certificate(ctx, "{cert_issuer}"),
		.picked_up = is_picked_up(ctx),
	};
	sfsistat r;

	atomic_fetch_add(&running, 1);
	r = s == NULL ? SMFIS_TEMPFAIL : reply_give(ctx, session_mail(s, &mail));
	atomic_fetch_sub(&running, 1);
	return r;
}

static sfsistat
on_rcpt(SMFICTX *ctx, char **argv)
{
	struct session *s = session(ctx);
	sfsistat r;

	atomic_fetch_add(&running, 1);
	r = s == NULL ? SMFIS_TEMPFAIL
		      : reply_give(ctx, session_rcpt(s, argv[0], macro(ctx, "{rcpt_addr}"),
						     macro(ctx, "{rcpt_mailer}"), macro(ctx, "i")));
	atomic_fetch_sub(&running, 1);
	return r;
}

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
	struct session *s = session(ctx);

	if (s != NULL)
		session_header(s, name, value);
	return SMFIS_NOREPLY;
}

static sfsistat
on_eoh(SMFICTX *ctx)
{
	struct session *s = session(ctx);

	if (s != NULL)
		session_eoh(s);
	return SMFIS_NOREPLY;
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *data, size_t len)
{
	struct session *s = session(ctx);

	if (s != NULL)
		(void)session_body(s, data, len);
	return SMFIS_NOREPLY;
}

static sfsistat
on_eom(SMFICTX *ctx)
{
	struct connection *c = connection(ctx);
	struct session *s = session(ctx);
	const struct edit *edits;
	const struct reply *reply;
	sfsistat r = SMFIS_TEMPFAIL;

	atomic_fetch_add(&running, 1);
	if (c != NULL && s != NULL) {
		reply = session_eom(s, macro(ctx, "i"), &edits);
		r = reply_finish(ctx, reply, edits, c->leading_space);
		session_abort(s);
	}
	atomic_fetch_sub(&running, 1);
	return r;
}

static sfsistat
on_abort(SMFICTX *ctx)
{
	struct connection *c = smfi_getpriv(ctx);

	if (c != NULL && c->session != NULL)
		session_abort(c->session);
	return SMFIS_CONTINUE;
}

static sfsistat
on_close(SMFICTX *ctx)
{
	struct connection *c = smfi_getpriv(ctx);

	if (c != NULL) {
		session_free(&c->session);
		free(c);
		smfi_setpriv(ctx, NULL);
	}
	return SMFIS_CONTINUE;
}

int
callbacks_register(const struct gate *g)
{
	static char name[] = "postern";
	struct smfiDesc description = {
		.xxfi_name = name, .xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST,
		.xxfi_connect = on_connect, .xxfi_helo = on_helo, .xxfi_envfrom = on_mail,
		.xxfi_envrcpt = on_rcpt, .xxfi_header = on_header, .xxfi_eoh = on_eoh,
		.xxfi_body = on_body, .xxfi_eom = on_eom, .xxfi_abort = on_abort,
		.xxfi_close = on_close, .xxfi_negotiate = on_negotiate,
	};

	gate = g;
	(void)smfi_setmaxdatasize(1u << 20);
	return smfi_register(description) == MI_SUCCESS ? 0 : -1;
}
