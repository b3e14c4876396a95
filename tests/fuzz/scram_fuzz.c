/*
 * SCRAM: two messages of any bytes, separated by a line end; a message that was understood holds what was
 * taken from it, and nobody signs in by chance. The answer of CRAM-MD5 goes the same way.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "auth/cram_md5.h"
#include "auth/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void exchange(const struct scram_first *first, enum digest d, struct span second)
{
	struct scram_keys keys = {
		.digest = d, .iterations = SCRAM_ITERATIONS, .salt_size = SCRAM_SALT_SIZE};
	/* A fixed half of ours lets the corpus hold second messages that continue the first. */
	struct scram *s = scram_create(first, &keys, span_str("server"));
	struct span challenge = scram_server_first(s);
	assert(challenge.n > first->nonce.n && challenge.p[0] == 'r');
	assert(scram_finish(s, second) != SCRAM_GOOD);
	scram_destroy(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span second = span_of(data, size);
	struct span message = span_take_until(&second, "\n");
	(void)span_take(&second, '\n');
	struct scram_first first;
	struct cram_key key = {0};
	struct span user, digest;
	const char *why = NULL;
	if (scram_first_read(message, &first, &why)) {
		assert(first.header.n + first.bare.n == message.n);
		assert(first.user.len > 0 && first.user.len <= message.n);
		assert(memchr(first.user.data, 0, first.user.len) == NULL);
		exchange(&first, DIGEST_SHA_1, second);
		exchange(&first, DIGEST_SHA_256, second);
		scram_first_drop(&first);
	} else {
		assert(why != NULL);
	}
	if (cram_answer_read(message, &user, &digest)) {
		assert(user.n > 0 && user.n + digest.n + 1 == message.n);
		assert(!cram_answer_check(&key, span_str("<x>"), digest));
	}
	struct scram_keys keys;
	if (scram_keys_read(DIGEST_SHA_256, message, &keys, &why)) {
		assert(keys.salt_size > 0 && keys.iterations >= SCRAM_ITERATIONS_MIN);
	}
	return 0;
}
