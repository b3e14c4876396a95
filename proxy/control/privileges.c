#include "control/privileges.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/span.h"

/* Who to become. */
struct identity {
	char name
		[64]; /* of the user, for the list of his groups; "": has no entry, or is not set */
	uid_t uid;
	gid_t gid;
	bool has_uid, has_gid;
};

/* Long enough for the entries of passwd and group on any machine where the service user is a local one. */
enum { ENTRY_MAX = 65536 };
static char entry_text[ENTRY_MAX]; /* main thread only */

/* (uid_t)-1 means "leave as it is" to the kernel: it is nobody's number. */
static bool is_number(const char *text, uint32_t *out)
{
	struct span s = span_str(text);
	uint64_t value;
	if (!span_take_number(&s, &value) || s.n > 0 || value >= UINT32_MAX) {
		return false;
	}
	*out = (uint32_t)value;
	return true;
}

static bool find_user(const char *user, struct identity *id)
{
	struct passwd entry;
	struct passwd *found = NULL;
	uint32_t number = 0;
	bool by_number = is_number(user, &number);
	int error = by_number ? getpwuid_r(number, &entry, entry_text, sizeof entry_text, &found)
			      : getpwnam_r(user, &entry, entry_text, sizeof entry_text, &found);
	if (found != NULL && strlen(entry.pw_name) < sizeof id->name) {
		memcpy(id->name, entry.pw_name, strlen(entry.pw_name) + 1);
		id->uid = entry.pw_uid;
		id->gid = entry.pw_gid;
		id->has_uid = id->has_gid = true;
		return true;
	}
	if (by_number) {
		id->uid = number; /* containers often have no entry for it */
		id->has_uid = true;
		return true;
	}
	log_say(LOG_ERROR, "cannot drop privileges", "user: %s: %s", user,
		error != 0 ? strerror(error) : "there is no such user");
	return false;
}

static bool find_group(const char *group, struct identity *id)
{
	struct group entry;
	struct group *found = NULL;
	uint32_t number = 0;
	if (is_number(group, &number)) {
		id->gid = number;
		id->has_gid = true;
		return true;
	}
	int error = getgrnam_r(group, &entry, entry_text, sizeof entry_text, &found);
	if (found == NULL) {
		log_say(LOG_ERROR, "cannot drop privileges", "group: %s: %s", group,
			error != 0 ? strerror(error) : "there is no such group");
		return false;
	}
	id->gid = entry.gr_gid;
	id->has_gid = true;
	return true;
}

static bool refused(const char *call)
{
	log_say(LOG_ERROR, "cannot drop privileges", "%s: %s", call, strerror(errno));
	return false;
}

/* Groups before the user: afterwards the right to change them is gone. */
static bool become(const struct identity *id)
{
	assert(id->has_gid || !id->has_uid);
	if (id->name[0] != '\0') {
		if (initgroups(id->name, id->gid) != 0) {
			return refused("initgroups");
		}
	} else if (id->has_gid && setgroups(1, &id->gid) != 0) {
		return refused("setgroups");
	}
	if (id->has_gid && setresgid(id->gid, id->gid, id->gid) != 0) {
		return refused("setgid");
	}
	if (id->has_uid && setresuid(id->uid, id->uid, id->uid) != 0) {
		return refused("setuid");
	}
	return true;
}

/* What the kernel says now, not what was asked of it: a dropped privilege that comes back is none. */
static bool is_gone_for_good(const struct identity *id)
{
	uid_t uid, euid, suid;
	gid_t gid, egid, sgid;
	if (getresuid(&uid, &euid, &suid) != 0 || getresgid(&gid, &egid, &sgid) != 0) {
		return refused("getresuid");
	}
	bool is_user = !id->has_uid || (uid == id->uid && euid == id->uid && suid == id->uid);
	bool is_group = !id->has_gid || (gid == id->gid && egid == id->gid && sgid == id->gid);
	bool may_be_root = !id->has_uid || id->uid == 0;
	if (!is_user || !is_group ||
		(!may_be_root && (setuid(0) == 0 || seteuid(0) == 0 || setgroups(0, NULL) == 0))) {
		log_say(LOG_ERROR, "cannot drop privileges", "the process could become root again");
		return false;
	}
	return true;
}

static bool drop(const struct identity *id)
{
	if (geteuid() != 0) {
		if ((id->has_uid && id->uid != geteuid()) ||
			(id->has_gid && id->gid != getegid())) {
			log_say(LOG_WARN, "privileges are as they were",
				"user and group are for a process that is started as root");
		}
		return true;
	}
	if (!become(id) || !is_gone_for_good(id)) {
		return false;
	}
	struct log_line line;
	log_begin(&line, LOG_INFO, "privileges dropped");
	log_number(&line, "uid", getuid());
	log_number(&line, "gid", getgid());
	log_end(&line);
	return true;
}

bool privileges_drop(const char *user, const char *group)
{
	struct identity id = {0};
	if (user[0] != '\0' && !find_user(user, &id)) {
		return false;
	}
	if (group[0] != '\0' && !find_group(group, &id)) {
		return false;
	}
	if (id.has_uid && !id.has_gid) {
		log_say(LOG_ERROR, "cannot drop privileges",
			"user: %s has no entry in passwd, so group must be set too", user);
		return false;
	}
	if ((id.has_uid || id.has_gid) && !drop(&id)) {
		return false;
	}
	/* Nothing is ever executed; this closes the way over a set-user-id program. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		return refused("prctl");
	}
	privileges_hide_memory(); /* a change of user may have reset it */
	return true;
}

void privileges_hide_memory(void)
{
	struct rlimit none = {0};
	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
		log_say(LOG_WARN, "core dumps are possible", "%s", strerror(errno));
	}
}

void privileges_raise_descriptors(size_t needed)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
		return;
	}
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0 || getrlimit(RLIMIT_NOFILE, &files) != 0) {
		log_say(LOG_WARN, "limit of open files not raised", "%s", strerror(errno));
		return;
	}
	if (files.rlim_cur < needed) {
		struct log_line line;
		log_begin(&line, LOG_WARN, "few open files allowed");
		log_number(&line, "allowed", (int64_t)files.rlim_cur);
		log_number(&line, "needed", (int64_t)needed);
		log_str(&line, "detail",
			"limits.clients cannot be reached: raise LimitNOFILE or ulimit -n");
		log_end(&line);
	}
}
