#include "auth/master.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "config/secretfile.h"

/* "login separator master". */
enum { NAME_MAX_BYTES = 8192 };

/* The first line of what was read; NULL or what is wrong with it. */
static const char *take_password(struct span text, struct secret *out)
{
	struct span line = span_take_until(&text, "\r\n");
	if (line.n == 0) {
		return "the first line is empty";
	}
	if (line.n > MASTER_PASSWORD_MAX) {
		return "the first line is too long";
	}
	if (span_find(line, '\0') < line.n) {
		return "the first line holds a NUL byte";
	}
	secret_set(out, line);
	return NULL;
}

static const char *read_password(const char *file, struct secret *out)
{
	struct secret text = {0};
	const char *why = secretfile_read(
		file, MASTER_PASSWORD_MAX + 1, "password file can be read by others", &text);
	why = why != NULL ? why : take_password(secret_span(&text), out);
	secret_drop(&text);
	return why;
}

bool master_init(struct master *m, const struct config_backend *b, struct config_errors *errors)
{
	*m = (struct master){.form = b->master_form, .separator = b->master_separator};
	if (b->master_user[0] == '\0' || b->master_password_file[0] == '\0') {
		return true;
	}
	m->user = b->master_user;
	const char *file = b->master_password_file;
	const char *why = read_password(file, &m->password);
	if (why != NULL) {
		config_errors_add(errors, b->master_password_file_place,
			"backends.master_password_file", "%s: %s", file, why);
	}
	return why == NULL;
}

void master_finish(struct master *m)
{
	secret_drop(&m->password);
	m->user = NULL;
}

bool master_is_known(const struct master *m)
{
	return m->user != NULL;
}

static bool contains(struct span text, struct span part)
{
	for (size_t i = 0; i + part.n <= text.n; i++) {
		if (span_equal(span_slice(text, i, i + part.n), part)) {
			return true;
		}
	}
	return false;
}

static void set_joined(struct secret *out, struct span login, const struct master *m)
{
	struct buf name;
	buf_init(&name, NAME_MAX_BYTES);
	if (buf_add(&name, login) && buf_add_str(&name, m->separator) &&
		buf_add_str(&name, m->user)) {
		secret_set(out, buf_peek(&name));
	}
	buf_finish(&name);
}

bool master_credentials(const struct master *m, struct span login, struct credentials *out)
{
	assert(master_is_known(m) && login.n > 0);
	struct credentials made = {.mechanism = MECHANISM_PLAIN};
	if (m->form == MASTER_SEPARATOR) {
		/* Dovecot cuts at the first one: "bob*x" would sign in as bob. */
		if (contains(login, span_str(m->separator))) {
			return false;
		}
		set_joined(&made.user, login, m);
	} else {
		secret_set(&made.user, span_str(m->user));
		secret_set(&made.authzid, login);
	}
	if (made.user.len == 0) {
		return false; /* too long */
	}
	secret_set(&made.password, secret_span(&m->password));
	credentials_move(out, &made);
	return true;
}
