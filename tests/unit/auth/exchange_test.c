/*
 * Sign-ins that end at the proxy, one mechanism after the other: who is let in, who is passed on, who gets
 * a no; without a loop, a thread or a server.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "auth/exchange.h"
#include "auth/scram.h"
#include "base/log.h"
#include "imap/base64.h"
#include "lib/scratch.h"

#define HEAD                                                                                       \
	"listeners = ( { address = \"127.0.0.1:1\"; } );\n"                                        \
	"backends = ( { name = \"m\"; address = \"h:2\"; master_user = \"x\"; "                    \
	"master_password_file = \"/dev/null\"; } );\n"

static const char users[] =
	"Alice:{PLAIN}pencil\n"
	"hash:$2y$05$CjT2qRuRF9Qj0p79FYRCwu5ox4nfOyLDK4rOtCydax32DiP/JGduq\n"
	"cram:{CRAM-MD5}7f47ace0e2af8f6cdeb72c03243a8c87834e19104164d6a42de72d243adb4080\n"
	"keys:{SCRAM-SHA-1}4096,palRQrIcNkdspoxpeAaC2A==,XbbKuFbdKMax/7lNr7cpbJZAEvk=,"
	"//2A9rbz7DLn9UgpJIt49T9kJnQ=\n";

static struct config *config;
static struct auth_store *store;

static int set_up(void **state)
{
	(void)state;
	char text[1000];
	struct config_errors errors = {0};
	log_setup(LOG_ERROR, LOG_LOGFMT);
	snprintf(text, sizeof text, HEAD "auth = { password_file = \"%s\"; };",
		scratch_write("users.pw", users));
	config = scratch_config(text);
	store = auth_store_create(config, &errors);
	/* /dev/null is no password: but that is all that is wrong, and no part of this test. */
	assert_null(store);
	assert_int_equal(errors.count, 1);
	config_errors_finish(&errors);
	free(config->backends[0].master_password_file);
	config->backends[0].master_password_file = strdup(scratch_write("word", "w\n"));
	store = auth_store_create(config, &errors);
	assert_non_null(store);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	auth_store_unref(&store);
	config_unref(&config);
	scratch_remove();
	return 0;
}

static struct credentials credentials_of(
	enum mechanism m, const char *user, const char *password, const char *message)
{
	struct credentials c = {.mechanism = m};
	secret_set(&c.user, span_str(user));
	secret_set(&c.password, span_str(password));
	secret_set(&c.message, span_str(message));
	return c;
}

/* Begins, and lets work be done here. NULL: passed on. */
static struct auth *begin(
	struct credentials *c, const struct auth_facts *facts, enum auth_verdict *verdict)
{
	struct auth *a = NULL;
	*verdict = auth_begin(store, c, facts, &a);
	credentials_drop(c);
	assert_int_equal(a == NULL, *verdict == AUTH_PASS);
	if (*verdict == AUTH_WAIT) {
		auth_work(a);
		*verdict = auth_worked(a);
	}
	return a;
}

static void assert_verdict(
	struct auth *a, enum auth_verdict got, enum auth_verdict wanted, const char *identity)
{
	assert_int_equal(got, wanted);
	if (got == AUTH_OK) {
		assert_true(span_is(auth_identity(a), identity));
	} else if (got == AUTH_NO) {
		assert_true(strlen(auth_reason(a)) > 0);
	}
	auth_destroy(&a);
	assert_null(a);
}

static void password(const char *user, const char *word, enum auth_verdict wanted, bool can_relay)
{
	static const enum mechanism all[] = {
		MECHANISM_LOGIN_COMMAND, MECHANISM_PLAIN, MECHANISM_LOGIN};
	struct auth_facts facts = {.can_relay = can_relay};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		enum auth_verdict got;
		struct credentials c = credentials_of(all[i], user, word, "");
		struct auth *a = begin(&c, &facts, &got);
		assert_verdict(a, got, wanted, strcmp(user, "ALICE") == 0 ? "Alice" : user);
	}
}

static void test_passwords(void **state)
{
	(void)state;
	static const char *const known[] = {"ALICE", "hash", "cram", "keys"};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		password(known[i], "pencil", AUTH_OK, true);
		password(known[i], "pencil ", AUTH_NO, true);
		password(known[i], "Pencil", AUTH_NO, true);
		password(known[i], "penci", AUTH_NO, true);
	}
	password("bob", "pencil", AUTH_PASS, true);
	password("bob", "pencil", AUTH_NO, false);
}

static void test_nobody_is_somebody_else(void **state)
{
	(void)state;
	struct auth_facts facts = {.can_relay = true};
	enum auth_verdict got;
	struct credentials c = credentials_of(MECHANISM_PLAIN, "hash", "pencil", "");
	secret_set(&c.authzid, span_str("cram"));
	struct auth *a = begin(&c, &facts, &got);
	assert_verdict(a, got, AUTH_NO, "");
	c = credentials_of(MECHANISM_PLAIN, "hash", "pencil", "");
	secret_set(&c.authzid, span_str("HASH"));
	a = begin(&c, &facts, &got);
	assert_verdict(a, got, AUTH_OK, "hash");
}

/* A line of the client, given as text. */
static enum auth_verdict respond(struct auth *a, struct span text)
{
	struct buf line;
	buf_init(&line, 10000);
	assert_true(base64_encode(&line, text));
	enum auth_verdict verdict = auth_respond(a, buf_peek(&line));
	buf_finish(&line);
	return verdict;
}

static void make_digest(const char *word, struct span challenge, char digest[33])
{
	uint8_t made[16];
	size_t n = 0;
	assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "MD5", NULL, word, strlen(word), challenge.p,
		challenge.n, made, sizeof made, &n));
	for (size_t i = 0; i < n; i++) {
		snprintf(digest + 2 * i, 3, "%02x", made[i]);
	}
}

static void cram(const char *user, const char *word, enum auth_verdict wanted)
{
	struct auth_facts facts = {0};
	struct secret challenge = {0};
	enum auth_verdict got;
	char answer[200];
	struct credentials c = credentials_of(MECHANISM_CRAM_MD5, "", "", "");
	struct auth *a = begin(&c, &facts, &got);
	assert_int_equal(got, AUTH_MORE);
	assert_true(base64_decode(auth_challenge(a), &challenge));
	char digest[2 * 16 + 1];
	make_digest(word, secret_span(&challenge), digest);
	snprintf(answer, sizeof answer, "%s %s", user, digest);
	got = respond(a, span_str(answer));
	secret_drop(&challenge);
	assert_verdict(a, got, wanted, strcmp(user, "alice") == 0 ? "Alice" : user);
}

static void test_cram_md5(void **state)
{
	(void)state;
	cram("alice", "pencil", AUTH_OK);
	cram("cram", "pencil", AUTH_OK);
	cram("alice", "pencils", AUTH_NO);
	cram("cram", "pencils", AUTH_NO);
	cram("hash", "pencil", AUTH_NO); /* a hash of crypt cannot tell */
	cram("bob", "pencil", AUTH_NO);
	/* A stranger's key is made of what he says: saying it twice must not let him in. */
	cram("bob", "bob", AUTH_NO);
	cram("hash", "hash", AUTH_NO);
}

static void scram(const char *user, const char *word, enum auth_verdict wanted)
{
	struct auth_facts facts = {0};
	enum auth_verdict got;
	char first[200], final[400];
	snprintf(first, sizeof first, "n,,n=%s,r=abcdef", user);
	struct credentials c = credentials_of(MECHANISM_SCRAM_SHA_1, user, "", first);
	struct auth *a = begin(&c, &facts, &got);
	assert_int_equal(got, AUTH_MORE);
	struct secret challenge = {0};
	assert_true(base64_decode(auth_challenge(a), &challenge));
	/* The client's part, with the server's own tools. */
	struct span rest = secret_span(&challenge);
	assert_true(span_take_nocase(&rest, "r="));
	struct span nonce = span_take_until(&rest, ",");
	assert_true(span_take_nocase(&rest, ",s="));
	struct span salt_text = span_take_until(&rest, ",");
	assert_true(span_is(rest, ",i=4096"));
	struct secret salt = {0};
	assert_true(base64_decode(salt_text, &salt));
	uint8_t salted[20], key[20], stored[20], proof[20];
	digest_stretch(DIGEST_SHA_1, span_str(word), secret_span(&salt), 4096, salted);
	digest_hmac(DIGEST_SHA_1, span_of(salted, 20), span_str("Client Key"), key);
	digest_hash(DIGEST_SHA_1, span_of(key, 20), stored);
	char message[1000];
	int without = snprintf(final, sizeof final, "c=biws,r=%.*s", SPAN_ARG(nonce));
	int n = snprintf(message, sizeof message, "%s,%.*s,%s", first + 3,
		SPAN_ARG(secret_span(&challenge)), final);
	digest_hmac(DIGEST_SHA_1, span_of(stored, 20), span_of(message, (size_t)n), proof);
	for (size_t i = 0; i < 20; i++) {
		proof[i] ^= key[i];
	}
	struct buf text;
	buf_init(&text, 1000);
	assert_true(buf_add(&text, span_of(final, (size_t)without)) && buf_add_str(&text, ",p=") &&
		    base64_encode(&text, span_of(proof, 20)));
	got = respond(a, buf_peek(&text));
	if (wanted == AUTH_OK) {
		assert_int_equal(got, AUTH_MORE);
		assert_true(auth_challenge(a).n > 0);
		got = respond(a, span_str(""));
	}
	buf_finish(&text);
	secret_drop(&challenge);
	secret_drop(&salt);
	assert_verdict(a, got, wanted, strcmp(user, "alice") == 0 ? "Alice" : user);
}

static void test_scram(void **state)
{
	(void)state;
	scram("alice", "pencil", AUTH_OK);
	scram("keys", "pencil", AUTH_OK);
	scram("alice", "pencils", AUTH_NO);
	scram("keys", "pencils", AUTH_NO);
	scram("hash", "pencil", AUTH_NO);
	scram("bob", "pencil", AUTH_NO);
	scram("bob", "", AUTH_NO);
	struct auth_facts facts = {.can_relay = true};
	enum auth_verdict got;
	struct credentials c = credentials_of(MECHANISM_SCRAM_SHA_1, "bob", "", "n,,n=bob,r=x");
	assert_null(begin(&c, &facts, &got));
	assert_int_equal(got, AUTH_PASS);
	c = credentials_of(MECHANISM_SCRAM_SHA_1, "keys", "", "p=x,,n=keys,r=x");
	struct auth *a = begin(&c, &facts, &got);
	assert_verdict(a, got, AUTH_NO, "");
}

/* A file without keys for anybody: its users are judged here all the same, by what they do not have. */
static void test_scram_of_users_without_keys(void **state)
{
	(void)state;
	char text[1000];
	struct config_errors errors = {0};
	struct auth_facts facts = {.can_relay = true};
	enum auth_verdict got;
	const char *hashes = scratch_write(
		"hashes.pw", "hash:$2y$05$CjT2qRuRF9Qj0p79FYRCwu5ox4nfOyLDK4rOtCydax32DiP/JGduq\n");
	snprintf(text, sizeof text, HEAD "auth = { password_file = \"%s\"; };", hashes);
	struct config *only = scratch_config(text);
	free(only->backends[0].master_password_file);
	only->backends[0].master_password_file = strdup(scratch_write("word", "w\n"));
	struct auth_store *of_hashes = auth_store_create(only, &errors);
	assert_non_null(of_hashes);
	struct auth *a = NULL;
	struct credentials c = credentials_of(MECHANISM_SCRAM_SHA_256, "hash", "", "n,,n=hash,r=x");
	got = auth_begin(of_hashes, &c, &facts, &a);
	assert_int_equal(got, AUTH_MORE);
	credentials_drop(&c);
	auth_destroy(&a);
	c = credentials_of(MECHANISM_SCRAM_SHA_256, "bob", "", "n,,n=bob,r=x");
	assert_int_equal(auth_begin(of_hashes, &c, &facts, &a), AUTH_PASS);
	credentials_drop(&c);
	auth_store_unref(&of_hashes);
	config_unref(&only);
}

static void external(
	const char *const *names, size_t count, const char *authzid, const char *identity)
{
	struct auth_facts facts = {.names = names, .name_count = count};
	enum auth_verdict got;
	struct credentials c = {.mechanism = MECHANISM_EXTERNAL};
	secret_set(&c.authzid, span_str(authzid));
	struct auth *a = begin(&c, &facts, &got);
	assert_verdict(a, got, identity != NULL ? AUTH_OK : AUTH_NO, identity);
}

static void test_external(void **state)
{
	(void)state;
	static const char *const one[] = {"bob"};
	static const char *const two[] = {"bob", "carol"};
	static const char *const odd[] = {"b\nob"};
	external(NULL, 0, "", NULL);
	external(NULL, 0, "bob", NULL);
	external(one, 1, "", "bob");
	external(one, 1, "BOB", "bob");
	external(one, 1, "carol", NULL);
	external(two, 2, "", NULL);
	external(two, 2, "carol", "carol");
	external(odd, 1, "", NULL);
	external(odd, 1, odd[0], NULL);
}

static void test_bad_lines(void **state)
{
	(void)state;
	static const char *const lines[] = {"!", "AAA", "=", "AAAA", ""};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		static const enum mechanism all[] = {MECHANISM_CRAM_MD5, MECHANISM_SCRAM_SHA_1};
		for (size_t k = 0; k < 2; k++) {
			struct auth_facts facts = {0};
			enum auth_verdict got;
			struct credentials c =
				credentials_of(all[k], "alice", "", "n,,n=alice,r=x");
			struct auth *a = begin(&c, &facts, &got);
			assert_int_equal(got, AUTH_MORE);
			assert_verdict(a, auth_respond(a, span_str(lines[i])), AUTH_NO, "");
		}
	}
}

static void test_what_can_work(void **state)
{
	(void)state;
	assert_true(auth_can_judge(store, MECHANISM_PLAIN));
	assert_true(auth_can_judge(store, MECHANISM_CRAM_MD5));
	assert_true(auth_can_judge(store, MECHANISM_SCRAM_SHA_256)); /* of the password in clear */
	assert_false(auth_can_judge(store, MECHANISM_GSSAPI));
	assert_false(auth_can_judge(store, MECHANISM_XOAUTH2));
	assert_int_equal(store->mechanisms[0], MECHANISMS_PASSWORD | MECHANISMS_TOKEN);
	assert_non_null(auth_store_master(store, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_nobody_is_somebody_else),
		cmocka_unit_test(test_cram_md5),
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_scram_of_users_without_keys),
		cmocka_unit_test(test_external),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_what_can_work),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
