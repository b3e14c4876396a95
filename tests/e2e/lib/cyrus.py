"""A real Cyrus IMAP server, unpacked from Debian's packages, in a private directory on loopback."""

import os
import struct

from . import process
from .unpacked import AuthSocket, UnpackedServer

# delete_mode: what is deleted goes at once, or a name could not be made again within a second.
# unixhierarchysep and altnamespace are Cyrus' own defaults since 3.0. Passwords are asked for at
# the place of saslauthd: Cyrus' other ways (sasldb, PAM) live in fixed system paths.
IMAPD_CONF = """
configdirectory: {dir}/conf
defaultpartition: default
partition-default: {dir}/spool
cyrus_user: {user}
cyrus_group: {group}
servername: cyrus.test
admins: {admins}
{masters}
allowplaintext: yes
failedloginpause: 0s
autocreate_quota: 0
autocreate_post: no
unixhierarchysep: yes
altnamespace: yes
delete_mode: immediate
virtdomains: userid
idlesocket: {dir}/idle.sock
lmtpsocket: {dir}/lmtp.sock
notifysocket: {dir}/notify.sock
conversations: no
sasl_mech_list: PLAIN LOGIN
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: {dir}/auth.sock
sasl_auto_transition: no
tls_server_cert: {cert}
tls_server_key: {key}
tls_versions: tls1_2 tls1_3
sync_machineid: no
"""

# The commands are named by full path: cyrus-master looks into /usr/lib/cyrus/bin for others.
CYRUS_CONF = """
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {dir}/imapd.conf -r"
  idled cmd="{bin}/idled -C {dir}/imapd.conf"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {dir}/imapd.conf -U 1000" listen="127.0.0.1:{plain}" prefork=2 maxchild=300
  imaps cmd="{bin}/imapd -C {dir}/imapd.conf -s -U 1000" listen="127.0.0.1:{tls}" prefork=0 maxchild=300
}}
EVENTS {{
  checkpoint cmd="{bin}/ctl_cyrusdb -C {dir}/imapd.conf -c" period=1000
}}
"""


class Cyrus(UnpackedServer):
    """One server. Ports: `plain` (offers STARTTLS too) and `tls`."""

    kind = "cyrus"
    is_synced = True

    def __init__(self, cert, key, users=None, admins="cyrus", masters=""):
        super().__init__(users)
        # Cyrus wants a named account and drops to it; "cyrus" exists only where it is installed.
        self.user, self.group = ("nobody", "nogroup") if os.getuid() == 0 else process.me()
        for name in ("conf", "conf/db", "conf/socket", "conf/proc", "spool"):
            os.mkdir(os.path.join(self.dir, name))
        # An empty value is an error.
        masters = f"proxyservers: {masters}" if masters else ""
        with open(os.path.join(self.dir, "imapd.conf"), "w", encoding="ascii") as file:
            file.write(IMAPD_CONF.format(dir=self.dir, cert=cert, key=key, user=self.user,
                                         group=self.group, admins=admins, masters=masters))
        process.give(self.dir, self.user)
        self._auth = AuthSocket(os.path.join(self.dir, "auth.sock"), self._saslauthd)

    def _saslauthd(self, connection):
        """Four strings in (user, password, service, realm), each after its length; one out."""
        stream = connection.makefile("rb")
        fields = []
        for _ in range(4):
            size, = struct.unpack("!H", stream.read(2))
            fields.append(stream.read(size).decode("utf-8", "replace"))
        user, password, _, realm = fields
        answer = b"OK" if self._check(f"{user}@{realm}" if realm else user, password) else b"NO"
        connection.sendall(struct.pack("!H", len(answer)) + answer)

    def start(self):
        binaries = os.path.join(self.root, "usr/lib/cyrus/bin")
        libraries = os.path.join(self.root, "usr/lib/x86_64-linux-gnu")
        # No PATH to plugins, libraries or configuration is taken from the system.
        environment = {"PATH": "/usr/bin:/bin", "SASL_PATH": os.path.join(libraries, "sasl2"),
                       "LD_LIBRARY_PATH": process.library_path(self.root),
                       "CYRUS_USER": self.user, "CYRUS_GROUP": self.group}
        for _ in range(5):
            self.plain, self.tls = process.free_port(), process.free_port()
            with open(os.path.join(self.dir, "cyrus.conf"), "w", encoding="ascii") as file:
                file.write(CYRUS_CONF.format(bin=binaries, dir=self.dir, plain=self.plain,
                                             tls=self.tls))
            with open(os.path.join(self.dir, "out"), "ab") as out:
                self.process = process.spawn(
                    [os.path.join(binaries, "master"), "-C", f"{self.dir}/imapd.conf",
                     "-M", f"{self.dir}/cyrus.conf", "-p", f"{self.dir}/master.pid"],
                    env=environment, stdout=out, stderr=out)
            # It binds one listener after the other.
            process.wait_for(lambda: self.process.poll() is not None or all(
                process.accepts(("127.0.0.1", port)) for port in (self.plain, self.tls)), "cyrus accepts")
            if self.process.poll() is None:
                return self
        with open(os.path.join(self.dir, "out"), encoding="utf-8") as out:
            raise AssertionError("cyrus does not start: " + out.read()[-2000:])

    def stop(self):
        if self.process:
            # TERM waits for sessions that linger; nobody cares for them any more.
            process.stop(self.process, timeout=2)
