#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

struct sip {
	uint64_t v0, v1, v2, v3;
	uint64_t word;  /* bytes not yet mixed, little endian */
	unsigned count; /* how many bytes have been added, modulo 256 is all that counts */
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static void sip_mix(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

static void sip_byte(struct sip *s, uint8_t c)
{
	s->word |= (uint64_t)c << (8 * (s->count & 7));
	s->count++;
	if ((s->count & 7) == 0) {
		sip_mix(s, s->word);
		s->word = 0;
	}
}

static uint64_t sip_end(struct sip *s)
{
	sip_mix(s, s->word | (uint64_t)(s->count & 0xff) << 56);
	s->v2 ^= 0xff;
	for (int i = 0; i < 4; i++) {
		sip_round(s);
	}
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static struct sip sip_begin(struct hash_key key)
{
	return (struct sip){
		.v0 = key.k0 ^ UINT64_C(0x736f6d6570736575),
		.v1 = key.k1 ^ UINT64_C(0x646f72616e646f6d),
		.v2 = key.k0 ^ UINT64_C(0x6c7967656e657261),
		.v3 = key.k1 ^ UINT64_C(0x7465646279746573),
	};
}

uint64_t hash_bytes(struct hash_key key, struct span bytes)
{
	struct sip s = sip_begin(key);
	for (size_t i = 0; i < bytes.n; i++) {
		sip_byte(&s, bytes.p[i]);
	}
	return sip_end(&s);
}

uint64_t hash_bytes_nocase(struct hash_key key, struct span bytes)
{
	struct sip s = sip_begin(key);
	for (size_t i = 0; i < bytes.n; i++) {
		uint8_t c = bytes.p[i];
		sip_byte(&s, (c >= 'A' && c <= 'Z') ? (uint8_t)(c + ('a' - 'A')) : c);
	}
	return sip_end(&s);
}

struct hash_key hash_key_random(void)
{
	struct hash_key key;
	ssize_t n = getrandom(&key, sizeof key, 0);
	/* A guessable key would be worse than no proxy. */
	if (n != (ssize_t)sizeof key) {
		abort();
	}
	return key;
}
