"""The endpoints that are compared: imapmux, the peers, and none at all.

Each is started in a private directory on loopback with two workers or threads where there is a choice,
TLS 1.3 and the same certificate. A peer that is not installed, or does not start, is reported and left
out.
"""

import os
import shutil
import subprocess

from lib import process

WORKERS = 2
MANY = 9000  # sessions that an endpoint must be able to hold


class Missing(Exception):
    """The endpoint cannot take part; says why."""


class Place:
    """What endpoints are told: where the server is, and the certificate."""

    def __init__(self, folder, plain, tls, auth, cert, key):
        self.folder, self.plain, self.tls, self.auth = folder, plain, tls, auth
        self.cert, self.key = cert, key
        self.both = os.path.join(folder, os.path.basename(cert) + ".both")
        with open(self.both, "w", encoding="ascii") as out:
            for path in (key, cert):
                with open(path, encoding="ascii") as file:
                    out.write(file.read())
        os.chmod(self.both, 0o644)


class Endpoint:
    """One proxy. `port` is where clients connect, by TLS if is_tls."""

    name = ""
    program = None
    is_tls = True
    share = 1.0  # of the operations that others do: for the very slow
    in_quick = True
    most_at_once = 32  # clients that connect and sign in at the same time

    def __init__(self):
        self.processes, self.port, self.dir = [], 0, None

    def start(self, place):
        if self.program and not shutil.which(self.program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            raise Missing(f"{self.program} is not installed")
        for _ in range(3):
            self.dir = process.private_dir("bench")
            self.port = process.free_port()
            try:
                self.run(place)
                process.wait_for(self._answers, f"{self.name} accepts", timeout=15)
                return self
            except AssertionError:
                said = self._said()
                self.stop()
        raise Missing(f"{self.name} does not start: {said}")

    def run(self, place):
        raise NotImplementedError

    def _answers(self):
        if any(child.poll() is not None for child in self.processes):
            raise AssertionError("it has ended")
        return process.accepts(("127.0.0.1", self.port))

    def _said(self):
        with open(self.path("said"), encoding="utf-8", errors="replace") as file:
            return file.read()[-600:]

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def spawn(self, *argv):
        with open(self.path("said"), "ab") as said:
            self.processes.append(process.spawn(argv, stdout=said, stderr=said, cwd=self.dir))

    def pids(self):
        return [child.pid for child in self.processes]

    def stop(self):
        for child in reversed(self.processes):
            process.stop(child)
        self.processes = []
        if self.dir:
            process.remove_dir(self.dir)
            self.dir = None


class Direct(Endpoint):
    """No proxy: the server itself."""

    name, is_tls = "direct", False

    def start(self, place):
        self.port = place.tls if self.is_tls else place.plain
        return self


class DirectTls(Direct):
    name, is_tls = "direct TLS", True


class Imapmux(Endpoint):
    name = "imapmux"
    binary = None
    workers, pool, extra_users, limits = WORKERS, "", "", ""

    CONFIG = """
workers = {workers};
log = {{ level = "warn"; }};
listeners = ( {{ address = "127.0.0.1:{port}"; tls = "{tls}"; }} );
{certificate}
backends = ( {{ name = "mail"; address = "127.0.0.1:{server}"; tls = "none"; }} );
users = ( {users} {{ match = "*"; backend = "mail"; }} );
pool = {{ max_idle = 25000; {pool} }};
limits = {{ clients = 0; clients_per_ip = 0; sessions_per_user = 0; }};
admin = {{ socket = ""; }};
"""

    def run(self, place):
        if not os.path.exists(self.binary):
            raise Missing(f"no {self.binary}")
        users = ""
        if self.extra_users:
            users = f'{{ file = "{self.write("users.map", self.extra_users)}"; }},'
        certificate = f'tls = {{ certificate = "{place.cert}"; key = "{place.key}"; }};'
        conf = self.write("imapmux.conf", self.CONFIG.format(
            workers=self.workers, port=self.port, server=place.plain, users=users, pool=self.pool,
            tls="implicit" if self.is_tls else "none", certificate=certificate if self.is_tls else ""))
        self.spawn(self.binary, "-c", conf)


class ImapmuxBefore(Imapmux):
    """Another build, to compare a change with what was there before it."""

    name = "before"


class ImapmuxPlain(Imapmux):
    name, is_tls = "imapmux plain", False


class ImapmuxNoPool(Imapmux):
    name, pool = "imapmux no pool", "enabled = false;"


class ImapmuxOneWorker(Imapmux):
    name, workers = "imapmux 1 worker", 1


class ImapmuxManyUsers(Imapmux):
    """100,000 users in its map."""

    name = "imapmux 100,000"
    # Nothing may expire while the bench fills the pool.
    pool = 'idle_timeout = "1h"; check_after = "1h"; credential_ttl = "1h";'

    def run(self, place):
        self.extra_users = "".join(f"u{n:05}\tmail\n" for n in range(100000))
        super().run(place)


class ImapmuxFewUsers(Imapmux):
    name, pool = "imapmux 100", ImapmuxManyUsers.pool

    def run(self, place):
        self.extra_users = "".join(f"u{n:05}\tmail\n" for n in range(100))
        super().run(place)


class Haproxy(Endpoint):
    name = program = "haproxy"

    CONFIG = """
global
    nbthread {workers}
    maxconn {many}
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
    ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen imaps
    bind 127.0.0.1:{port} ssl crt {both} backlog 4096
    server mail 127.0.0.1:{server}
"""

    def run(self, place):
        self.spawn(self.program, "-db", "-f", self.write("haproxy.cfg", self.CONFIG.format(
            workers=WORKERS, many=MANY, port=self.port, both=place.both, server=place.plain)))


class Hitch(Endpoint):
    name = program = "hitch"
    workers = WORKERS

    CONFIG = """
frontend = "[127.0.0.1]:{port}"
backend = "[127.0.0.1]:{server}"
pem-file = "{both}"
workers = {workers}
backlog = 4096
daemon = off
quiet = on
syslog = off
tls-protos = TLSv1.3
ciphersuites = "TLS_AES_128_GCM_SHA256"
{user}
"""

    def run(self, place):
        hitch_before(self, place, place.plain, self.workers)


class HitchOneWorker(Hitch):
    name, workers = "hitch 1 worker", 1


def hitch_before(endpoint, place, server, workers=WORKERS):
    user = 'user = "nobody"\ngroup = "nogroup"' if os.getuid() == 0 else ""
    conf = endpoint.write("hitch.conf", Hitch.CONFIG.format(
        user=user, workers=workers, port=endpoint.port, both=place.both, server=server))
    endpoint.spawn("hitch", f"--config={conf}")


class Nginx(Endpoint):
    name, program = "nginx mail", "nginx"
    module = "/usr/lib/nginx/modules/ngx_mail_module.so"

    CONFIG = """
load_module {module};
daemon off;
{user}
worker_processes {workers};
pid {dir}/pid;
error_log {dir}/error.log error;
events {{ worker_connections {connections}; }}
mail {{
    auth_http 127.0.0.1:{auth}/;
    imap_capabilities IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE UNSELECT UIDPLUS;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3;
    server {{ listen 127.0.0.1:{port} ssl backlog=4096; protocol imap; proxy on; }}
}}
"""

    def run(self, place):
        if not os.path.exists(self.module):
            raise Missing("libnginx-mod-mail is not installed")
        self.spawn(self.program, "-c", self.write("nginx.conf", self.CONFIG.format(
            module=self.module, user="user nobody nogroup;" if os.getuid() == 0 else "",
            workers=WORKERS, dir=self.dir, connections=2 * MANY, auth=place.auth, cert=place.cert,
            key=place.key, port=self.port)))


class DovecotProxy(Endpoint):
    in_quick = False
    name, program = "Dovecot proxy", "dovecot"

    CONFIG = """
protocols = imap
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
listen = 127.0.0.1
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2
ssl_dh =
auth_mechanisms = plain login
login_log_format_elements =
login_proxy_max_disconnect_delay = 0
passdb {{
  driver = static
  args = proxy=y host=127.0.0.1 port={server} nopassword=y
}}
service imap-login {{
  service_count = 0
  process_min_avail = {workers}
  process_limit = {workers}
  client_limit = {many}
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
service auth {{
  client_limit = 20000
}}
service anvil {{
  client_limit = 20000
}}
service stats {{
  client_limit = 20000
}}
default_vsz_limit = 0
"""

    def run(self, place):
        root = os.getuid() == 0
        name, group = process.me()
        self.spawn("dovecot", "-F", "-c", self.write("dovecot.conf", self.CONFIG.format(
            dir=self.dir, cert=place.cert, key=place.key, server=place.plain, port=self.port,
            workers=WORKERS, many=MANY, internal="dovecot" if root else name,
            group="dovecot" if root else group, login="dovenull" if root else name)))


class Perdition(Endpoint):
    in_quick = False
    name = program = "perdition"
    share = 0.2

    def run(self, place):
        user, group = ("nobody", "nogroup") if os.getuid() == 0 else process.me()
        os.chmod(self.dir, 0o777)
        self.spawn("perdition", "--no_daemon", "-f", self.write("perdition.conf", ""), "-P", "IMAP4S",
                   "-b", "127.0.0.1", "-l", str(self.port), "-s", "127.0.0.1", "-p", str(place.plain),
                   "-M", "", "-n", "-u", user, "-g", group, "--pid_file", self.path("pid"),
                   "--connect_relog", "0", "-F", self.path("log"), "-q",
                   "--ssl_mode", "ssl_listen", "--ssl_cert_file", place.cert,
                   "--ssl_key_file", place.key, "--ssl_no_cert_verify")


class Imapproxy(Endpoint):
    in_quick = False
    name, program, is_tls = "imapproxy plain", "imapproxyd", False
    # Its queue of new connections is short: of more at once, some would wait for ever.
    most_at_once = 4
    share = 0.1

    CONFIG = """
server_hostname 127.0.0.1
server_port {server}
listen_address 127.0.0.1
listen_port {port}
cache_size {many}
cache_expiration_time 300
proc_username {user}
proc_groupname {group}
stat_filename {dir}/stat
protocol_log_filename {dir}/protocol
syslog_facility LOG_MAIL
send_tcp_keepalives no
enable_select_cache no
foreground_mode yes
force_tls no
enable_admin_commands no
"""

    def run(self, place):
        self.run_at(place, self.port)

    def run_at(self, place, port):
        user, group = ("nobody", "nogroup") if os.getuid() == 0 else process.me()
        os.chmod(self.dir, 0o777)
        conf = self.write("imapproxy.conf", self.CONFIG.format(
            server=place.plain, port=port, many=MANY, dir=self.dir, user=user, group=group))
        self.spawn("imapproxyd", "-p", self.path("pid"), "-f", conf)


class HitchImapproxy(Imapproxy):
    """The way to give imapproxy TLS."""

    name, is_tls = "hitch+imapproxy", True

    def run(self, place):
        behind = process.free_port()
        self.run_at(place, behind)
        process.wait_for(lambda: process.accepts(("127.0.0.1", behind)), "imapproxy accepts", timeout=15)
        hitch_before(self, place, behind)


BLIND = [Haproxy, Hitch]
PROXIES = [Nginx, DovecotProxy, Perdition, Imapproxy, HitchImapproxy]


def openssl(*argv):
    subprocess.run(["openssl", *argv], check=True, capture_output=True)


def certificate(folder, kind):
    """A self-signed certificate, ECDSA P-256 or RSA 2048: (certificate, key)."""
    cert, key = (os.path.join(folder, f"{kind}.{end}") for end in ("pem", "key"))
    how = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ecdsa" else ["rsa:2048"]
    openssl("req", "-x509", "-newkey", *how, "-nodes", "-days", "30", "-subj", "/CN=localhost",
            "-keyout", key, "-out", cert)
    # Servers that have left root behind read it too; it guards nothing but a bench.
    os.chmod(key, 0o644)
    return cert, key
