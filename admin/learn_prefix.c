/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See learn_prefix.h.
 */
#include "config.h"

#include "admin/learn_prefix.h"

#include <string.h>

#define SEEN_MIN 3u
#define SEEN_PART 4u    /* a quarter */
#define WIDEST_IPV4 24u
#define WIDEST_IPV6 64u

int
learn_ip_compare(const void *a, const void *b)
{
	const struct ip *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	return memcmp(x->octets, y->octets, sizeof x->octets);
}

static unsigned
bits_of(const struct ip *ip)
{
	return ip->family == NETWORK_IPV4 ? 32 : 128;
}

/* How many bits the two have in common. */
static unsigned
common_bits(const struct ip *a, const struct ip *b)
{
	unsigned n = 0, most = bits_of(a);

	while (n < most && ((a->octets[n / 8] ^ b->octets[n / 8]) & (0x80u >> (n % 8))) == 0)
		n++;
	return n;
}

static struct network
network_of(const struct ip *ip, unsigned bits)
{
	struct network net = {.base = *ip, .bits = bits};

	for (unsigned i = bits; i < bits_of(ip); i++)
		net.base.octets[i / 8] = (uint8_t)(net.base.octets[i / 8] & ~(0x80u >> (i % 8)));
	return net;
}

static bool
is_dense(const struct network *net, size_t n)
{
	if (n < SEEN_MIN)
		return false;
	if (net->base.family == NETWORK_IPV6)
		return true;
	return n * SEEN_PART >= (size_t)1 << (32 - net->bits);
}

struct splitting {
	const struct ip *ips;
	bool (*is_taken)(void *context, const struct network *net);
	void *context;
	struct learn_prefix *out;
	size_t n;
};

static void
add(struct splitting *s, const struct network *net, size_t first, size_t n)
{
	s->out[s->n++] = (struct learn_prefix){.net = *net, .first = first, .n = n};
}

/* The addresses first .. first + n - 1, which stand in one widest prefix: as one
 * prefix, or in two halves at the first bit in which they differ. */
static void
split(struct splitting *s, size_t first, size_t n)
{
	const struct ip *a = &s->ips[first];
	unsigned bits = n == 1 ? bits_of(a) : common_bits(a, &s->ips[first + n - 1]);
	struct network net;
	size_t i;

	if (a->family == NETWORK_IPV6 && n > 1)
		bits = WIDEST_IPV6;
	net = network_of(a, bits);
	if (n == 1 || (is_dense(&net, n) && !s->is_taken(s->context, &net))) {
		add(s, &net, first, n);
		return;
	}
	if (a->family == NETWORK_IPV6) {
		for (i = 0; i < n; i++)
			split(s, first + i, 1);
		return;
	}
	for (i = 1; i < n && common_bits(a, &s->ips[first + i]) > bits; i++)
		;
	split(s, first, i);
	split(s, first + i, n - i);
}

size_t
learn_prefixes(const struct ip *ips, size_t n, bool (*is_taken)(void *context, const struct network *net),
	       void *context, struct learn_prefix *out)
{
	struct splitting s = {.ips = ips, .is_taken = is_taken, .context = context, .out = out};
	size_t from = 0;

	for (size_t i = 1; i <= n; i++) {
		unsigned widest = ips[from].family == NETWORK_IPV4 ? WIDEST_IPV4 : WIDEST_IPV6;

		if (i < n && ips[i].family == ips[from].family && common_bits(&ips[from], &ips[i]) >= widest)
			continue;
		split(&s, from, i - from);
		from = i;
	}
	return s.n;
}
