#include "base/secret.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

void secret_set(struct secret *s, struct span bytes)
{
	/* A copy first: the bytes may lie inside the secret that is replaced. */
	uint8_t *data = (uint8_t *)xmemdup0(bytes.p, bytes.n);
	secret_drop(s);
	s->data = data;
	s->len = bytes.n;
}

void secret_drop(struct secret *s)
{
	if (s->data != NULL) {
		secret_wipe(s->data, s->len);
		free(s->data);
	}
	*s = (struct secret){0};
}

void secret_move(struct secret *to, struct secret *from)
{
	assert(to != from);
	secret_drop(to);
	*to = *from;
	*from = (struct secret){0};
}

struct span secret_span(const struct secret *s)
{
	return span_of(s->data, s->len);
}

bool secret_equal(struct span a, struct span b)
{
	if (a.n != b.n) {
		return false;
	}
	volatile uint8_t differs = 0;
	for (size_t i = 0; i < a.n; i++) {
		differs = differs | (uint8_t)(a.p[i] ^ b.p[i]);
	}
	return differs == 0;
}

void secret_wipe(void *p, size_t n)
{
	/* base knows no OpenSSL; glibc's explicit_bzero gives the promise of OPENSSL_cleanse. */
	if (n > 0) {
		explicit_bzero(p, n);
	}
}
