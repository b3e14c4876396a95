/*
 * SCRAM against the password file: from the keys in it, or from a password in clear.
 *
 * A name that nobody knows gets an exchange as well: with a salt that is always the same for it, and keys
 * that fit no password (RFC 5802 section 5.1 leaves that to the server). Where the file has passwords in
 * clear, keys have to be made for them, which takes its time; then everybody waits for so long.
 */
#include <assert.h>

#include "base/hash.h"
#include "exchange_priv.h"

static enum digest digest_of(const struct auth *a)
{
	return a->number == MECHANISM_SCRAM_SHA_1 ? DIGEST_SHA_1 : DIGEST_SHA_256;
}

static enum scheme scheme_of(const struct auth *a)
{
	return a->number == MECHANISM_SCRAM_SHA_1 ? SCHEME_SCRAM_SHA_1 : SCHEME_SCRAM_SHA_256;
}

/* As many rounds, and as much salt, as the first user of the file has. */
static void imitate(const struct auth *a, struct scram_keys *keys)
{
	struct passtable_entry e;
	struct scram_keys first;
	const char *why;
	keys->iterations = SCRAM_ITERATIONS;
	keys->salt_size = SCRAM_SALT_SIZE;
	if (a->store->users != NULL && passtable_first(a->store->users, scheme_of(a), &e) &&
		scram_keys_read(digest_of(a), e.value, &first, &why)) {
		keys->iterations = first.iterations;
		keys->salt_size = first.salt_size;
		secret_wipe(&first, sizeof first);
	}
}

/* A salt that nobody can foretell, and that is the same for a name each time. */
static void make_salt(struct span user, struct scram_keys *keys)
{
	struct hash_key key = auth_store_disguise();
	for (size_t at = 0; at < keys->salt_size; at += sizeof(uint64_t)) {
		uint64_t part = hash_bytes_nocase(key, user);
		size_t left = keys->salt_size - at;
		memcpy(keys->salt + at, &part, left < sizeof part ? left : sizeof part);
		key.k0++;
	}
}

/* The keys as far as they are known before auth_work. */
static void find_keys(struct auth *a, struct span user)
{
	const enum scheme wanted[] = {scheme_of(a), SCHEME_PLAIN};
	const char *why;
	a->keys = (struct scram_keys){.digest = digest_of(a)};
	bool is_found = auth_look_up(a, user, wanted, sizeof wanted / sizeof wanted[0]);
	if (is_found && a->scheme != SCHEME_PLAIN) {
		bool is_good =
			scram_keys_read(digest_of(a), secret_span(&a->value), &a->keys, &why);
		assert(is_good); /* passfile has checked it */
		(void)is_good;
		return;
	}
	if (is_found) {
		secret_set(&a->password, secret_span(&a->value));
	}
	imitate(a, &a->keys);
	make_salt(user, &a->keys);
}

static enum auth_verdict challenge(struct auth *a)
{
	struct span nothing = {0};
	a->scram = scram_create(&a->first, &a->keys, nothing);
	return auth_ask(a, scram_server_first(a->scram));
}

static bool is_slow(const struct auth *a)
{
	const struct passtable *users = a->store->users;
	return users != NULL && (passtable_all_schemes(users) & SCHEME_BIT(SCHEME_PLAIN)) != 0;
}

static enum auth_verdict begin(
	struct auth *a, const struct credentials *credentials, const struct auth_facts *facts)
{
	struct span user = secret_span(&credentials->user);
	bool is_in_file = a->store->users != NULL && passtable_schemes(a->store->users, user) != 0;
	if (!is_in_file && facts->can_relay) {
		return AUTH_PASS;
	}
	secret_set(&a->message, secret_span(&credentials->message));
	if (!scram_first_read(secret_span(&a->message), &a->first, &a->reason)) {
		return AUTH_NO;
	}
	find_keys(a, secret_span(&a->first.user));
	return is_slow(a) ? AUTH_WAIT : challenge(a);
}

static void work(struct auth *a)
{
	struct scram_keys made = a->keys;
	scram_keys_derive(&made, secret_span(&a->password));
	if (a->is_known && a->scheme == SCHEME_PLAIN) {
		a->keys = made;
	}
	secret_wipe(&made, sizeof made);
}

static enum auth_verdict worked(struct auth *a)
{
	secret_drop(&a->password);
	return challenge(a);
}

static enum auth_verdict judge(struct auth *a, struct span message)
{
	struct span authzid = secret_span(&a->first.authzid);
	switch (scram_finish(a->scram, message)) {
	case SCRAM_MALFORMED:
		return auth_no(a, "malformed answer");
	case SCRAM_WRONG:
		return auth_no(a, a->is_known ? "wrong password" : "unknown user");
	case SCRAM_GOOD:
		break;
	}
	if (!a->is_known) {
		return auth_no(a, "unknown user");
	}
	if (!auth_is_himself(authzid, secret_span(&a->first.user))) {
		return auth_no(a, "wants to be somebody else");
	}
	a->is_equal = true;
	return auth_ask(a, scram_server_final(a->scram));
}

static enum auth_verdict respond(struct auth *a, struct span message)
{
	if (!a->is_equal) {
		return judge(a, message);
	}
	/* Our proof has been shown; in IMAP the client answers it by an empty line. */
	return message.n == 0 ? AUTH_OK : auth_no(a, "malformed answer");
}

const struct auth_mechanism auth_scram = {begin, respond, work, worked};
