"""A real Dovecot (Debian's dovecot-imapd, installed) in a private directory on loopback."""

import base64
import os
import re
import subprocess
import time

from . import accounts, process
from .imap import Client
from .mail import message

# Mail belongs to a uid without a name when the tests run as root: Dovecot refuses uid 0.
MAIL_UID = 5000

CONFIG = """
protocols = imap
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
info_log_path = {dir}/log
log_timestamp = "%H:%M:%S "
mail_log_prefix = "%s(%u)<%{{session}}>: "
login_log_format_elements = user=<%u> method=%m rip=%r rport=%b lport=%a mpid=%e %c session=<%{{session}}>
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
listen = 127.0.0.1, ::1
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
ssl_min_protocol = {tls_min}
ssl_dh =
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_chars =
auth_username_format = %u
auth_failure_delay = 0
auth_cache_size = 0
login_trusted_networks = {trusted}
mail_uid = {uid}
mail_gid = {uid}
first_valid_uid = 1
mail_location = maildir:~/mail
mail_fsync = never
mail_max_userip_connections = {userip}
mail_plugins = {plugins}
mailbox_list_index = yes
imap_idle_notify_interval = 2 mins
namespace inbox {{
  inbox = yes
  separator = /
}}
passdb {{
  driver = passwd-file
  args = username_format=%u {dir}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} home={dir}/home/%u
}}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  client_limit = 2000
  chroot =
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
  unix_listener {dir}/imap.sock {{
    mode = 0666
  }}
}}
service imap {{
  process_limit = 2000
}}
service anvil {{
  client_limit = 5000
  unix_listener anvil-auth-penalty {{
    mode = {penalty}
  }}
}}
service auth {{
  client_limit = 5000
}}
service stats {{
  client_limit = 5000
}}
protocol imap {{
  mail_plugins = {imap_plugins}
}}
{extra}
"""

SHARED = """
plugin {{
  acl = vfile
  acl_shared_dict = file:{dir}/shared.db
}}
namespace shared {{
  type = shared
  separator = /
  prefix = shared/%%u/
  location = maildir:%%h/mail:INDEXPVT=~/shared/%%u
  subscriptions = no
  list = children
}}
"""


class Dovecot:
    """One server. Ports: `plain` (offers STARTTLS too) and `tls`; `socket` is a unix socket."""

    kind = "dovecot"

    def __init__(self, cert, key, users=None, scheme="PLAIN", trusted="", userip=0,
                 tls_min="TLSv1.2", penalty=False, plugins="quota", shared=False, extra=""):
        self.users = {**(accounts.ALL if users is None else users), "settle": "settle"}
        self.scheme = scheme
        self.dir = process.private_dir("dovecot", in_memory=True)
        self.conf = os.path.join(self.dir, "dovecot.conf")
        self.log = os.path.join(self.dir, "log")
        self.socket = os.path.join(self.dir, "imap.sock")
        self.process = None
        root = os.getuid() == 0
        me = os.getuid() if not root else MAIL_UID
        name = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        group = subprocess.run(["id", "-gn"], capture_output=True, text=True, check=True).stdout.strip()
        if shared:
            plugins += " acl"
            extra += SHARED.format(dir=self.dir)
        self._settings = {
            "dir": self.dir, "cert": cert, "key": key, "trusted": trusted, "uid": me,
            "userip": userip, "tls_min": tls_min, "penalty": "0600" if penalty else "0",
            "plugins": plugins, "extra": extra,
            "imap_plugins": plugins + " imap_quota" + (" imap_acl" if shared else ""),
            "internal": "dovecot" if root else name,
            "internal_group": "dovecot" if root else group,
            "login": "dovenull" if root else name,
        }
        home = os.path.join(self.dir, "home")
        os.mkdir(home)
        os.chown(home, me, me if root else -1)
        if shared:
            os.chmod(self.dir, 0o777)
        self._stamp = 0
        self._write_users()

    # life

    def start(self):
        for _ in range(5):
            self.plain, self.tls = process.free_port(), process.free_port()
            with open(self.conf, "w", encoding="utf-8") as file:
                file.write(CONFIG.format(plain=self.plain, tls=self.tls, **self._settings))
            if self._run():
                return self
        raise AssertionError(f"dovecot does not start: {self.text()[-2000:]}")

    def _run(self):
        self.process = process.spawn(["dovecot", "-F", "-c", self.conf],
                                     stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        # It binds one listener after the other.
        listeners = (("127.0.0.1", self.plain), ("127.0.0.1", self.tls), self.socket)
        process.wait_for(lambda: self.process.poll() is not None
                         or all(process.accepts(address) for address in listeners), "dovecot accepts")
        return self.process.poll() is None

    def stop(self):
        """Stops the server, mail and ports stay: resume() brings it back."""
        if self.process:
            process.stop(self.process)

    def resume(self):
        # The master's children may hold the port for a moment longer than the master lives, and then it is
        # they who accept, while the new one fails.
        process.wait_for(lambda: not process.accepts(("127.0.0.1", self.plain)), "the port is free")
        process.wait_for(self._run, "dovecot runs again")

    def restart(self):
        self.stop()
        self.resume()

    def remove(self):
        self.stop()
        process.remove_dir(self.dir)

    def reload(self):
        self.doveadm("reload")

    # accounts

    def _write_users(self):
        path = os.path.join(self.dir, "passwd")
        with open(path + ".new", "w", encoding="utf-8") as file:
            for user, password in self.users.items():
                # %u is looked up in this escaped form.
                name = re.sub(r"""([\\"'])""", r"\\\1", user)
                file.write(f"{name}:{self._hash(password)}\n")
        os.chmod(path + ".new", 0o644)
        # Dovecot re-reads the file when its time stamp differs, in seconds: make it differ.
        self._stamp += 2
        now = time.time()
        os.utime(path + ".new", (now, now - 100000 + self._stamp))
        os.rename(path + ".new", path)

    def _hash(self, password):
        if self.scheme != "PLAIN":
            cost = ["-r", "5"] if self.scheme == "BLF-CRYPT" else []
            return subprocess.run(["doveadm", "pw", "-s", self.scheme, *cost, "-p", password],
                                  check=True, capture_output=True, text=True).stdout.strip()
        # Base64, because a password may hold the colon that separates the file's fields.
        return "{PLAIN.b64}" + base64.b64encode(password.encode()).decode()

    def set_password(self, user, password):
        self.users[user] = password
        self._write_users()
        # It looks at the file once in a second at most: the second of the change must be over.
        changed = int(time.time())
        process.wait_for(lambda: int(time.time()) > changed, "the clock goes on")

    # mail

    def client(self, user=None, tls=None, **options):
        """A direct connection, signed in when a user is named."""
        client = Client(("127.0.0.1", self.tls if tls else self.plain), tls=tls, **options)
        if user:
            client.login(user, self.users[user]).ok()
        return client

    def fill(self, user, count, mailbox="INBOX", size=0):
        """Leaves exactly `count` messages without flags in a mailbox."""
        with self.client(user) as client:
            client.cmd(f"CREATE {mailbox}")
            client.cmd(f"SELECT {mailbox}").ok()
            client.cmd("STORE 1:* +FLAGS.SILENT (\\Deleted)")
            client.cmd("EXPUNGE").ok()
            for number in range(1, count + 1):
                client.append(message(number, size), mailbox).ok()
            client.logout()

    # what the server saw

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def mark(self):
        """A place in the log; everything that happened before is before it."""
        self.settle()
        return os.path.getsize(self.log)

    def since(self, mark):
        with open(self.log, "rb") as file:
            file.seek(mark)
            return file.read().decode("utf-8", "replace").splitlines()

    def logins(self, user, mark=0):
        """Login lines of one user since a mark, after everything already done has been logged."""
        self.settle()
        return [line for line in self.since(mark) if f" Login: user=<{user}>" in line]

    def signed_in(self, mark=0):
        """The names of all who signed in since a mark."""
        self.settle()
        names = re.findall(r" Login: user=<([^>]*)>", "\n".join(self.since(mark)))
        return [name for name in names if name != "settle"]

    def failures(self, mark=0):
        self.settle()
        return [line for line in self.since(mark) if "auth failed" in line]

    def settle(self):
        """The log is written by a process of its own: wait until it has caught up with us.

        Signs in for it, because Dovecot answers a failed sign-in only after half a second. Its line is
        one of the new ones: the same port may have been a client's before.
        """
        start = os.path.getsize(self.log)
        with self.client("settle") as client:
            needle = f"rport={client.sock.getsockname()[1]},"
            process.wait_for(lambda: any(needle in line for line in self.since(start)),
                             "dovecot writes its log")

    def doveadm(self, *argv, check=True):
        return subprocess.run(["doveadm", "-c", self.conf, *argv], check=check, timeout=30,
                              capture_output=True, text=True).stdout

    def kick(self, user):
        self.doveadm("kick", user)

    def sessions(self, user):
        """How many signed-in connections the server has of this user."""
        out = self.doveadm("who", "-1", user)
        return len([line for line in out.splitlines() if re.match(re.escape(user) + r"\s", line)])

    def where(self):
        """The plain listener as a backend of the proxy's configuration."""
        return {"address": f"127.0.0.1:{self.plain}", "tls": "none"}
