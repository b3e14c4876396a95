/* Which credentials are the same: those that one verdict of one server answers for, and no others. */
#include "../../../proxy/backend/proof_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/death.h"

/* All fields of a proof. Texts may hold any byte but NUL, which no credential holds. */
struct fields {
	bool is_secure;
	const char *server, *login, *authzid, *user, *password;
	enum mechanism mechanism;
	const char *message;
};

static const struct fields usual = {
	true, "mail1", "alice", "", "alice@example.org", "secret", MECHANISM_PLAIN, ""};

static struct proof prove(const struct fields *f)
{
	struct credentials c = {.mechanism = f->mechanism};
	secret_set(&c.authzid, span_str(f->authzid));
	secret_set(&c.user, span_str(f->user));
	secret_set(&c.password, span_str(f->password));
	secret_set(&c.message, span_str(f->message));
	struct proof p = proof_of(f->is_secure, span_str(f->server), span_str(f->login), &c);
	credentials_drop(&c);
	return p;
}

static bool are_same(const struct fields *a, const struct fields *b)
{
	struct proof one = prove(a);
	struct proof two = prove(b);
	assert_int_equal(proof_equal(&one, &two), proof_equal(&two, &one));
	return proof_equal(&one, &two);
}

static void test_the_same_again(void **state)
{
	(void)state;
	assert_true(are_same(&usual, &usual));
	struct fields other = usual;
	other.mechanism = MECHANISM_LOGIN_COMMAND;
	assert_true(are_same(&usual, &other));
	other.mechanism = MECHANISM_LOGIN;
	assert_true(are_same(&usual, &other));
}

/* A token is no password, whatever its letters; and answers for one message only. */
static void test_kinds(void **state)
{
	(void)state;
	static const enum proof_kind kinds[MECHANISM_COUNT] = {
		[MECHANISM_XOAUTH2] = PROOF_TOKEN,
		[MECHANISM_OAUTHBEARER] = PROOF_TOKEN,
		[MECHANISM_SCRAM_SHA_1] = PROOF_NONE,
		[MECHANISM_SCRAM_SHA_256] = PROOF_NONE,
		[MECHANISM_EXTERNAL] = PROOF_NONE,
		[MECHANISM_CRAM_MD5] = PROOF_NONE,
		[MECHANISM_GSSAPI] = PROOF_NONE,
	};
	for (int m = 0; m < MECHANISM_COUNT; m++) {
		struct credentials c = {.mechanism = (enum mechanism)m};
		assert_int_equal(proof_kind_of(&c), kinds[m]);
		struct fields f = usual;
		f.mechanism = (enum mechanism)m;
		assert_int_equal(are_same(&usual, &f), kinds[m] == PROOF_PASSWORD);
	}
	struct fields one = usual;
	one.mechanism = MECHANISM_XOAUTH2;
	one.message = "user=alice host=a";
	struct fields two = one;
	assert_true(are_same(&one, &two));
	two.message = "user=alice host=b";
	assert_false(are_same(&one, &two));
}

static void test_each_field_counts(void **state)
{
	(void)state;
	struct fields f = usual;
	f.is_secure = false;
	assert_false(are_same(&usual, &f));
	f = usual;
	f.server = "mail2";
	assert_false(are_same(&usual, &f));
	f = usual;
	f.login = "Alice";
	assert_false(are_same(&usual, &f));
	f = usual;
	f.authzid =
		"alice@example.org"; /* as which he signs in anyway, perhaps: not ours to know */
	assert_false(are_same(&usual, &f));
	f = usual;
	f.user = "ALICE@example.org";
	assert_false(are_same(&usual, &f));
	f = usual;
	f.password = "Secret";
	assert_false(are_same(&usual, &f));
	f.password = "";
	assert_false(are_same(&usual, &f));
}

static void test_address_counts(void **state)
{
	(void)state;
	struct fields f = usual;
	f.password = "Secret";
	struct proof one = prove(&usual);
	struct proof other = prove(&f);
	struct proof here = proof_at(&one, span_str("192.0.2.7"));
	struct proof again = proof_at(&one, span_str("192.0.2.7"));
	assert_true(proof_equal(&here, &again));
	assert_false(proof_equal(&here, &one));
	again = proof_at(&one, span_str("192.0.2.8"));
	assert_false(proof_equal(&here, &again));
	again = proof_at(&other, span_str("192.0.2.7"));
	assert_false(proof_equal(&here, &again));
	again = proof_at(&one, span_str(""));
	assert_false(proof_equal(&one, &again));
}

/* Bytes moved over the border between two fields must not give the same digest. */
static void test_no_two_sets_of_fields_collide(void **state)
{
	(void)state;
	enum { LEN = 6, FIELDS = 5 };
	static const char text[LEN + 1] = "aaaaaa";
	struct proof seen[256];
	size_t count = 0;
	/* Every way to cut six equal bytes into five fields. */
	for (int cuts = 0; cuts < 7 * 7 * 7 * 7; cuts++) {
		int at[FIELDS + 1] = {0, cuts % 7, cuts / 7 % 7, cuts / 49 % 7, cuts / 343, LEN};
		char parts[FIELDS][LEN + 1] = {0};
		bool is_cut = true;
		for (int i = 0; i < FIELDS; i++) {
			is_cut = is_cut && at[i] <= at[i + 1];
		}
		if (!is_cut) {
			continue;
		}
		for (int i = 0; i < FIELDS; i++) {
			memcpy(parts[i], text + at[i], (size_t)(at[i + 1] - at[i]));
		}
		struct fields f = {true, parts[0], parts[1], parts[2], parts[3], parts[4],
			MECHANISM_PLAIN, ""};
		assert_true(count < sizeof seen / sizeof *seen);
		seen[count] = prove(&f);
		for (size_t i = 0; i < count; i++) {
			assert_false(proof_equal(&seen[i], &seen[count]));
		}
		count++;
	}
	assert_int_equal(count, 210); /* 10 over 4 */
}

/* Lengths are numbers, not bytes that a field could imitate. */
static void test_fields_that_look_like_lengths(void **state)
{
	(void)state;
	struct fields a = usual;
	struct fields b = usual;
	a.user = "\x01";
	a.password = "\x01\x01";
	b.user = "\x01\x01";
	b.password = "\x01";
	assert_false(are_same(&a, &b));
	char one[301];
	char two[301];
	memset(one, 'x', 300);
	memset(two, 'x', 300);
	one[44] = two[300] = '\0'; /* 300 is 44 modulo 256 */
	one[44] = '\0';
	a = b = usual;
	a.password = one;
	b.password = two;
	assert_false(are_same(&a, &b));
}

static void test_equal_looks_at_every_byte(void **state)
{
	(void)state;
	struct proof p = prove(&usual);
	for (size_t i = 0; i < PROOF_LEN; i++) {
		for (int bit = 0; bit < 8; bit++) {
			struct proof q = p;
			q.digest[i] ^= (uint8_t)(1 << bit);
			assert_false(proof_equal(&p, &q));
		}
	}
}

/* With the largest credentials that preauth lets through. */
static void test_large(void **state)
{
	(void)state;
	char *large = malloc(CREDENTIALS_MAX + 1);
	memset(large, 'x', CREDENTIALS_MAX);
	large[CREDENTIALS_MAX] = '\0';
	struct fields a = usual;
	struct fields b = usual;
	a.password = large;
	b.password = large + 1;
	assert_true(are_same(&a, &a));
	assert_false(are_same(&a, &b));
	free(large);
}

/* The key is this process's own: another start proves nothing. */
static void check_another_key(void *arg)
{
	struct proof before = prove(&usual);
	proof_init();
	struct proof after = prove(&usual);
	if (!proof_equal(&before, &after)) {
		return;
	}
	abort();
	(void)arg;
}

static void test_another_start(void **state)
{
	(void)state;
	assert_false(death_of(check_another_key, NULL));
}

/* RFC 4231, those whose key is no longer than ours. */
static void test_vectors(void **state)
{
	(void)state;
	static const struct {
		uint8_t key[PROOF_LEN];
		const char *text;
		size_t n;
		uint8_t digest[PROOF_LEN];
	} rows[] = {
		{"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
			"Hi There", 8,
			"\xb0\x34\x4c\x61\xd8\xdb\x38\x53\x5c\xa8\xaf\xce\xaf\x0b\xf1\x2b"
			"\x88\x1d\xc2\x00\xc9\x83\x3d\xa7\x26\xe9\x37\x6c\x2e\x32\xcf\xf7"},
		{"Jefe", "what do ya want for nothing?", 28,
			"\x5b\xdc\xc1\x46\xbf\x60\x75\x4e\x6a\x04\x24\x26\x08\x95\x75\xc7"
			"\x5a\x00\x3f\x08\x9d\x27\x39\x83\x9d\xec\x58\xb9\x64\xec\x38\x43"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct proof_key key;
		proof_key_init(&key, rows[i].key);
		/* Twice: the key is not used up. */
		for (int again = 0; again < 2; again++) {
			struct proof proof = proof_digest(&key, span_of(rows[i].text, rows[i].n));
			assert_memory_equal(proof.digest, rows[i].digest, PROOF_LEN);
		}
	}
}

static int init(void **state)
{
	(void)state;
	proof_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_the_same_again),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_each_field_counts),
		cmocka_unit_test(test_address_counts),
		cmocka_unit_test(test_no_two_sets_of_fields_collide),
		cmocka_unit_test(test_fields_that_look_like_lengths),
		cmocka_unit_test(test_equal_looks_at_every_byte),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_another_start),
	};
	return cmocka_run_group_tests(tests, init, NULL);
}
