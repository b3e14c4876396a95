"""A guided tour: two real Dovecot servers with mail, imapmux before them.

demo.py BINARY [--once]: without --once it stays up after the tour and says what to try. Everything
lives in private directories on loopback and is gone when it ends. Each step checks what it shows: a
demo that cannot show its point ends with status 1.
"""

import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import textwrap
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from lib import certs, process  # noqa: E402  (the path must be set first)
from lib.dovecot import Dovecot  # noqa: E402
from lib.imap import Client  # noqa: E402

PASSWORD = "demo"
PEOPLE = {"mail1": ["alice"], "mail2": ["bob", "carol"]}
READERS = [f"reader{n}" for n in range(1, 13)]
PAGE_MESSAGES = 50  # in each reader's inbox
PAGE_ROWS = 20      # what a webmail shows on its first page
COLD_ROUNDS = 2
POOLED_ROUNDS = 3
PAUSE = 0.06        # seconds before a first page: a used spare is replaced in that time
SPARES = 4          # connections that wait for somebody to sign in, once they are wanted

CONFIG = """\
log = {{ level = "info"; }};
listeners = (
    {{ address = "127.0.0.1:{imaps}"; tls = "implicit"; }},
    {{ address = "127.0.0.1:{imap}"; tls = "starttls"; }},
    {{ address = "127.0.0.1:{webmail}"; tls = "none"; }}       # for a webmail on this host
);
tls = {{ certificate = "{cert}"; key = "{key}"; }};
backends = (
    {{ name = "mail1"; address = "localhost:{mail1}"; tls = "implicit"; ca = "{ca}"; }},
    {{ name = "mail2"; address = "localhost:{mail2}"; tls = "implicit"; ca = "{ca}"; }}
);
users = (
    {{ match = "bob@example.org"; backend = "mail2"; login = "%n"; }},
    {{ regex = "^(.+)@old\\\\.example$"; backend = "mail2"; login = "$1"; }},
    {{ match = "*@example.org"; backend = "mail1"; login = "%n"; }}
);
pool = {{ spares = {spares}; }};
capabilities = {{ hide = ( "THREAD=REFS" ); }};
admin = {{ socket = "{admin}"; http = ""; }};
"""

# What Debian's Dovecot does not offer unless asked, and a proxy that reads along cannot pass on.
COMPRESSION = "protocol imap {\n  mail_plugins = quota imap_quota imap_zlib\n}\n"

# Why imapmux leaves out what a server offers.
REASONS = {
    "COMPRESS=DEFLATE": "imapmux could not follow a compressed stream",
    "LOGIN-REFERRALS": "a referral would send the client past the proxy",
    "THREAD=REFS": "hidden by the configuration above",
    "UNAUTHENTICATE": "would take the user out of the proxy's sight",
    "URL-PARTIAL": "half of URLAUTH, whose URLs name the server",
}

COLOUR = sys.stdout.isatty()
_steps = iter(range(1, 100))


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def title(text, numbered=True):
    """The head of a step of the tour."""
    text = f"{next(_steps)}. {text}" if numbered else text
    print("\n" + paint("1;36", text), flush=True)


def say(text=""):
    print("  " + text if text else "", flush=True)


def wrapped(text):
    """A long line over several, each further in than the first."""
    for line in textwrap.wrap(text, 92, subsequent_indent="    ", break_on_hyphens=False):
        say("  " + line)


def wire(side, data):
    """A line of a dialogue, cut where it would not fit."""
    text = data.decode("utf-8", "replace").rstrip("\r\n")
    text = text if len(text) <= 92 else text[:89] + "..."
    print("    " + paint("32" if side == "C" else "33", f"{side}: {text}"), flush=True)


def must(condition, what):
    if not condition:
        raise AssertionError(what)


def letter(server, person, number):
    subjects = ["Minutes of Monday", "Re: the new printer", "Lunch?", "Your invoice", "Holiday plans"]
    subject = f"Welcome to {server}" if number == 1 else subjects[number % len(subjects)]
    return (f"From: {'Postmaster' if number == 1 else 'Dana'} <dana@example.org>\r\n"
            f"To: {person}@example.org\r\nSubject: {subject}\r\n"
            f"Date: 0{1 + number % 7} Apr 2025 09:{number % 60:02d}:00 +0000\r\n"
            f"Message-ID: <{person}.{number}@example.org>\r\n\r\n"
            + "A line of text, as people write them.\r\n" * 40).encode()


class Demo:
    def __init__(self, binary):
        self.binary = os.path.abspath(binary)
        self.dir = process.private_dir("demo")
        self.conf = os.path.join(self.dir, "imapmux.conf")
        self.log = os.path.join(self.dir, "imapmux.log")
        self.admin = os.path.join(self.dir, "admin.sock")
        self.servers, self.proxy = {}, None

    # start and stop

    def start(self):
        title("Two mail servers, and imapmux before them", numbered=False)
        authority = certs.Authority(os.path.join(self.dir, "tls"), "imapmux demo CA")
        self.cert, self.key = authority.issue("localhost")
        self.ca, self.tls = authority.ca, authority.client_context(alpn=["imap"])
        for name, people in PEOPLE.items():
            users = {person: PASSWORD for person in people}
            users.update({reader: PASSWORD for reader in READERS} if name == "mail1" else {})
            server = Dovecot(self.cert, self.key, users=users, scheme="SHA512-CRYPT", extra=COMPRESSION)
            self.servers[name] = server
            server.start()
            for person in people:
                self.deliver(server, person, [letter(name, person, n) for n in (1, 2, 3)])
        for reader in READERS:
            self.deliver(self.servers["mail1"], reader,
                         [letter("mail1", reader, n) for n in range(1, PAGE_MESSAGES + 1)])
        self.start_proxy()
        version = subprocess.run(["dovecot", "--version"], capture_output=True, text=True, check=True)
        for name, server in self.servers.items():
            say(f"{name:8} Dovecot {version.stdout.split()[0]:9} 127.0.0.1:{server.tls}   "
                + ", ".join(PEOPLE[name]))
        say(f"{'imapmux':8} {'':17} 127.0.0.1:{self.imaps} (TLS), :{self.imap} (STARTTLS), "
            f":{self.webmail} (for a webmail on this host)")

    @staticmethod
    def deliver(server, person, letters):
        with server.client(person) as client:
            for text in letters:
                client.append(text).ok()
            client.logout()

    def start_proxy(self):
        for _ in range(5):
            self.imaps, self.imap, self.webmail = (process.free_port() for _ in range(3))
            self.configure(spares=0)
            with open(self.log, "wb") as log:
                self.proxy = process.spawn([self.binary, "-c", self.conf], stderr=log)
            process.wait_for(lambda: self.proxy.poll() is not None or "msg=ready" in self.logged(),
                             "imapmux is ready")
            if self.proxy.poll() is None:
                return
        raise AssertionError("imapmux does not start:\n" + self.logged())

    def configure(self, spares):
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(
                imaps=self.imaps, imap=self.imap, webmail=self.webmail, cert=self.cert,
                key=self.key, ca=self.ca, admin=self.admin, spares=spares,
                mail1=self.servers["mail1"].tls, mail2=self.servers["mail2"].tls))

    def reload(self, spares):
        self.configure(spares)
        before = self.logged().count("msg=reloaded")
        self.proxy.send_signal(signal.SIGHUP)
        process.wait_for(lambda: self.logged().count("msg=reloaded") > before, "imapmux reloads")

    def ask(self, line):
        """What `imapmux show` and its like do: a line to the admin socket, a document back."""
        with socket.socket(socket.AF_UNIX) as sock, sock.makefile("rw") as stream:
            sock.connect(self.admin)
            stream.write(line + "\n")
            stream.flush()
            return json.loads(stream.readline())

    def pool(self):
        return next(row for row in self.ask("show pools")["pools"] if row["backend"] == "mail1")

    def told(self, *words):
        """Shows a command of an operator's and what it says."""
        command = [self.binary, *words, "-s", self.admin]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        say(f"$ imapmux {' '.join(words)}")
        for line in said.splitlines():
            say("  " + line.rstrip())
        return said

    def stop(self):
        if self.proxy:
            process.stop(self.proxy)
        for server in self.servers.values():
            server.remove()
        shutil.rmtree(self.dir, ignore_errors=True)

    def logged(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def client(self, tls=True):
        """A connection through imapmux: by TLS, or the plain one of a webmail on this host."""
        port = self.imaps if tls else self.webmail
        return Client(("127.0.0.1", port), tls=self.tls if tls else None)

    # the tour

    def show_configuration(self):
        title("The configuration")
        with open(self.conf, encoding="utf-8") as file:
            for line in file:
                say("  " + line.rstrip().replace(self.dir, "..."))

    def show_routing(self):
        title("Routing: one address for all, each user's mail from the right server")
        say("imapmux tells what it would do with a name:")
        for user in ("alice@example.org", "bob@example.org", "carol@old.example"):
            command = [self.binary, "route", "-c", self.conf, user]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            say()
            say(f"  $ imapmux route -c imapmux.conf {user}")
            for line in told.splitlines():
                say("  " + line.replace(self.dir, "..."))
        say()
        say("and the two of them read their mail, over TLS, from the same address:")
        for user, server in (("alice@example.org", "mail1"), ("bob@example.org", "mail2")):
            with self.client() as client:
                client.login(user, PASSWORD).ok()
                client.cmd("SELECT INBOX").ok()
                reply = client.cmd("FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]").ok()
                client.logout()
            subject = re.search(rb"Subject: (.*?)\r\n", reply.raw).group(1).decode()
            must(subject == f"Welcome to {server}", f"{user} reads {subject!r}")
            say(f"  {user:20} finds \"{subject}\"")

    def show_tls(self):
        title("TLS: no password in clear")
        with self.client() as client:
            say(f"Port {self.imaps} speaks {client.sock.version()}, {client.sock.cipher()[0]}, "
                f"ALPN {client.sock.selected_alpn_protocol()}; the certificate is verified.")
        say(f"Port {self.imap} wants STARTTLS first:")
        with Client(("127.0.0.1", self.imap)) as client:
            refused = client.login("alice@example.org", PASSWORD).no()
            accepted = client.starttls(self.tls)
            client.login("alice@example.org", PASSWORD).ok()
            client.logout()
            wire("S", client.greeting)
            wire("C", b"a1 LOGIN alice@example.org demo")
            wire("S", refused.tagged)
            wire("C", b"a2 STARTTLS")
            wire("S", accepted.tagged)
        must(b"LOGINDISABLED" in client.greeting, "LOGINDISABLED before TLS")
        must("PRIVACYREQUIRED" in refused.text, "PRIVACYREQUIRED for a sign-in in clear")

    def show_capabilities(self):
        title("Capabilities: what a client is told is what works through the proxy")
        with self.servers["mail1"].client("alice", tls=self.tls) as client:
            server = client.capabilities()
        with self.client() as client:
            before = client.capabilities()
            client.login("alice@example.org", PASSWORD).ok()
            after = client.capabilities()
            client.logout()
        wrapped("before the sign-in: " + " ".join(sorted(before)))
        wrapped("after the sign-in: " + " ".join(sorted(after)))
        say(f"  mail1 itself offers {len(server)}, imapmux {len(after)} of them"
            + (" and " + " ".join(sorted(after - server)) if after - server else "") + "; left out:")
        for name in sorted(server - after):
            say(f"    {name:18} {REASONS.get(name, '')}")
        must("THREAD=REFS" in server - after, "THREAD=REFS is hidden")
        must("COMPRESS=DEFLATE" in server - after, "COMPRESS is left out")
        must("IDLE" in after, "IDLE stays")

    def show_page_views(self):
        title("Page views: what spares and the pool are for")
        say("A webmail signs in for every page: connect, LOGIN, SELECT, SORT, FETCH of "
            f"{PAGE_ROWS} rows, LOGOUT.")
        say(f"{len(READERS)} users with {PAGE_MESSAGES} messages each; passwords are SHA512-CRYPT. "
            "imapmux speaks TLS to Dovecot.")
        say()
        mail1 = self.servers["mail1"]
        doors = {"clear": (("127.0.0.1", self.webmail), None), "tls": (("127.0.0.1", self.imaps), self.tls)}
        straight = {"clear": (("127.0.0.1", mail1.plain), None), "tls": (("127.0.0.1", mail1.tls), self.tls)}
        times = {}

        def view(kind, way, reader):
            door = (straight if kind == "direct" else doors)[way]
            name = reader if kind == "direct" else reader + "@example.org"
            times.setdefault((kind, way), []).append(page_view(*door, name))

        for reader in READERS:  # once, so that the server's indexes are what they are in life
            page_view(*straight["tls"], reader)
        # Each worker, one for each CPU, has its part of them, rounded up.
        workers = self.ask("show version")["version"]["workers"]
        spares = workers * -(-SPARES // workers)
        # Nobody known, nothing parked, nothing spare; then the same with spares.
        for kind in ("cold", "spare") * COLD_ROUNDS:
            self.reload(SPARES if kind == "spare" else 0)
            for way in doors:
                self.ask("flush")
                for reader in READERS:
                    view("direct", way, reader)
                    time.sleep(PAUSE)
                    if kind == "spare":
                        process.wait_for(lambda: self.pool()["spare"] >= spares, "spares are open")
                    view(kind, way, reader)
        # What came in clear serves no session by TLS, nor the other way round: each has its first page.
        for way in doors:
            for reader in READERS:
                page_view(*doors[way], reader + "@example.org")
        # A user's page ends with his connection being cleaned and parked; the other users' pages pass
        # before he comes back, as in life.
        for _ in range(POOLED_ROUNDS):
            for way in doors:
                for reader in READERS:
                    view("direct", way, reader)
                    view("pool", way, reader)
        self.show_times(times)
        self.check_page_views(times)

    @staticmethod
    def show_times(times):
        def cells(kind, way):
            rows = sorted(times[kind, way])
            return f"{statistics.median(rows):9.1f} ms{rows[len(rows) * 9 // 10]:7.1f} ms"

        say(f"{'':26}{'webmail in clear':>21}   {'webmail by TLS':>21}")
        say(f"{'':26}{'median      90 %':>21}   {'median      90 %':>21}")
        for kind, label in (("direct", "straight to Dovecot"), ("cold", "imapmux, cold"),
                            ("spare", "imapmux, from a spare"), ("pool", "imapmux, from the pool")):
            line = f"{label:26}{cells(kind, 'clear')}   {cells(kind, 'tls')}"
            say(paint("1", line) if kind == "pool" else line)

    def check_page_views(self, times):
        median = {key: statistics.median(rows) for key, rows in times.items()}
        gain = median["direct", "tls"] / median["pool", "clear"]
        counters = self.ask("show stats")["stats"]["counters"]
        reused = len(re.findall("msg=sign-in .*user=reader.* connection=pooled ", self.logged()))
        say()
        say(f"A page from the pool came {gain:.1f} times as fast as one by TLS straight from the server;")
        say(f"{reused} of the sign-ins were answered by what the server had proved not long before.")
        must(reused >= 2 * POOLED_ROUNDS * len(READERS), f"pages come from the pool: only {reused} did")
        must(counters["pool_spares_used"] >= 2 * COLD_ROUNDS * len(READERS), "pages come from spares")

    def show_operator(self):
        title("The operator's view")
        process.wait_for(lambda: self.pool()["parked"] >= len(READERS), "they are parked again")
        self.told("show", "pools")
        say()
        before = self.told("flush", "mail1", READERS[0] + "@example.org")
        must("credentials forgotten" in before, "a flush of one user")

    def show_safety(self):
        title("A parked connection is no way around the password")
        user = READERS[1] + "@example.org"
        with self.client() as client:
            refused = client.login(user, "wrong").no()
            accepted = client.login(user, PASSWORD).ok()
            client.logout()
        wire("C", f"a1 LOGIN {user} wrong".encode())
        wire("S", refused.tagged)
        wire("C", f"a2 LOGIN {user} {PASSWORD}".encode())
        wire("S", accepted.tagged)
        say("The wrong one was asked at the server, on a new connection; the right one found the parked")
        say("connection as it was.")
        last = re.findall(f"msg=sign-in .*user={user} .*connection=(\\w+)", self.logged())[-1]
        must(last == "pooled", f"the right password gets a {last} connection")

    def show_log(self):
        title("The log: one line for each sign-in, one for each session's end")
        lines = [line for line in self.logged().splitlines() if READERS[-1] in line]
        must(lines, "the log tells of the sign-ins")
        for line in lines[-2:]:
            wrapped(line)

    def stay(self):
        title("Your turn. Everything runs until Ctrl-C.", numbered=False)
        here = os.path.relpath(self.binary)
        say("users: alice@example.org (mail1), bob@example.org and carol@old.example (mail2); "
            f"password: {PASSWORD}")
        say()
        for line in (
                f"curl --cacert {self.ca} --user alice@example.org:{PASSWORD} "
                f"'imaps://localhost:{self.imaps}/INBOX;MAILINDEX=1'",
                f"openssl s_client -quiet -crlf -CAfile {self.ca} -connect localhost:{self.imaps}",
                f"openssl s_client -quiet -crlf -CAfile {self.ca} -starttls imap "
                f"-connect localhost:{self.imap}",
                f"{here} route -c {self.conf} bob@example.org",
                f"{here} check -c {self.conf}",
                f"{here} show sessions -s {self.admin}          # or: pools, clients, users, stats ...",
                f"kill -HUP {self.proxy.pid}          # after you have edited {self.conf}",
                f"tail -f {self.log}"):
            say(f"  {line}")
        say()
        say("After openssl has connected, type for example:")
        say(f"  a login alice@example.org {PASSWORD}")
        say("  b select inbox")
        say("  c fetch 1:* (flags envelope)")
        say("  d logout")
        self.proxy.wait()
        raise AssertionError("imapmux ended by itself:\n" + self.logged()[-2000:])


def page_view(address, tls, user):
    """Milliseconds from the connect to the end of the LOGOUT."""
    start = time.monotonic()
    with Client(address, tls=tls) as client:
        client.login(user, PASSWORD).ok()
        client.cmd("SELECT INBOX").ok()
        found = client.cmd("SORT (REVERSE ARRIVAL) UTF-8 ALL").ok().find("* SORT")
        rows = b",".join(found[0].split()[2:2 + PAGE_ROWS]).decode()
        page = client.cmd(f"FETCH {rows} (UID FLAGS RFC822.SIZE ENVELOPE)").ok()
        must(len(page.untagged) == PAGE_ROWS, "a page has its rows")
        client.cmd("LOGOUT").ok()
    return (time.monotonic() - start) * 1000


def main():
    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    demo = Demo(sys.argv[1])
    try:
        demo.start()
        demo.show_configuration()
        demo.show_routing()
        demo.show_tls()
        demo.show_capabilities()
        demo.show_page_views()
        demo.show_operator()
        demo.show_safety()
        demo.show_log()
        if "--once" not in sys.argv[2:]:
            demo.stay()
    except KeyboardInterrupt:
        print("\nstopping")
    except AssertionError as error:
        print(f"\nthe demo failed: {error}", file=sys.stderr)
        return 1
    finally:
        demo.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
