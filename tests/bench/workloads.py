"""What is measured. A workload says which endpoints take part, and measures one of them once."""

import contextlib
import resource
import time

import peers
import procs
from lib.dovecot import Dovecot
from loads import Load, Stub, measured

LOGIN, SELECT, LOGOUT = "LOGIN %u %p", "SELECT INBOX", "LOGOUT"
PAGE = (LOGIN, SELECT, "FETCH 1:20 (UID FLAGS RFC822.SIZE ENVELOPE)", LOGOUT)
MB = 1e6


class Workload:
    """One measurement. `unit` explains `main`, the figure that stands for it in tables and plots."""

    name = title = main = unit = ""
    endpoints = ()
    repeats, quick_repeats = 5, 2
    certificate = "ecdsa"
    signin_ms = 0
    is_fresh = False  # each repeat starts its endpoint anew
    is_stub_first = False  # the server waits for no CPU
    in_quick = True

    def __init__(self, quick, scale=1.0):
        self.quick, self.scale = quick, scale

    def amount(self, full, quick, endpoint=None):
        share = endpoint.share if endpoint else 1.0
        return max(1, int((quick if self.quick else full) * self.scale * share))

    @contextlib.contextmanager
    def place(self, folder):
        """The server for all endpoints of the workload."""
        cert, key = peers.certificate(folder, self.certificate)
        stub = Stub(cert, key, self.signin_ms)
        if self.is_stub_first:
            stub.put_first()
        try:
            yield peers.Place(folder, stub.plain, stub.tls, stub.http, cert, key)
        finally:
            stub.stop()

    def prepare(self, endpoint):
        """After its start, before its first repeat."""

    def measure(self, endpoint):
        """Figures of one repeat: name -> number."""
        raise NotImplementedError


class SignIn(Workload):
    """As many sign-in sessions as get through, 16 at a time."""

    main, unit = "cpu_us", "proxy CPU, µs a session"
    endpoints = (peers.Imapmux, peers.ImapmuxNoPool, *peers.BLIND, *peers.PROXIES)
    options = {}

    def measure(self, endpoint):
        options = self.options if endpoint.is_tls else {}
        figures = measured(
            Load("sessions", endpoint, LOGIN, SELECT, LOGOUT, clients=min(16, endpoint.most_at_once), users=100,
                 warm_up=self.amount(300, 150, endpoint), operations=self.amount(3000, 800, endpoint),
                 **options), endpoint)
        return {"cpu_us": figures["cpu"] / figures["count"] * 1e6,
                "a_second": figures["count"] / figures["seconds"],
                "resumed_percent": 100 * figures["resumed"] / figures["count"]}


class SignInEcdsa(SignIn):
    name, title = "signin-ecdsa", "Sign-in session, full handshake, ECDSA certificate"


class SignInRsa(SignIn):
    in_quick = False
    name, title = "signin-rsa", "Sign-in session, full handshake, RSA certificate"
    certificate = "rsa"


class SignInResumed(SignIn):
    name, title = "signin-resumed", "Sign-in session, TLS session resumed"
    options = {"resume": True}
    endpoints = tuple(one for one in SignIn.endpoints if one.is_tls)


class SignInWorkers(SignIn):
    """hitch's workers are processes that share nothing: what its second costs is the machine's."""

    in_quick = False
    name, title = "workers", "Two workers against one: sign-in session"
    endpoints = (peers.ImapmuxOneWorker, peers.Imapmux, peers.HitchOneWorker, peers.Hitch)

    def measure(self, endpoint):
        before = procs.threads(endpoint.pids())
        figures = super().measure(endpoint)
        busy = [now - before.get(task, 0) for task, now in procs.threads(endpoint.pids()).items()]
        figures["busiest_thread_percent"] = 100 * max(busy) / sum(busy)
        figures["a_core_second"] = 1e6 / figures["cpu_us"]
        return figures


class Page(Workload):
    """A webmail's page view at a fixed rate, whatever the endpoint does."""

    main, unit = "p50_ms", "session p50, ms"
    endpoints = (peers.Direct, peers.DirectTls, peers.Imapmux, peers.ImapmuxPlain,
                 *peers.BLIND, *peers.PROXIES)
    rate, seconds, quick_seconds = 100, 6, 2.5
    users = 12
    repeats, quick_repeats = 3, 1

    def measure(self, endpoint):
        figures = measured(
            Load("sessions", endpoint, *PAGE, users=self.users, clients=4, warm_up=4 * self.users,
                 rate=self.rate, seconds=self.quick_seconds if self.quick else self.seconds,
                 tolerant=True), endpoint)
        whole, sign_in = figures["latency", "session"], figures["latency", LOGIN]
        return {"p50_ms": whole["p50"] / 1e3, "p90_ms": whole["p90"] / 1e3, "p99_ms": whole["p99"] / 1e3,
                "signin_p50_ms": sign_in["p50"] / 1e3,
                "cpu_us": figures["cpu"] / figures["count"] * 1e6, "failed": figures["failed"]}


class PageFree(Page):
    name, title = "page-0ms", "Page view at 100/s, a sign-in costs the server 0 ms"


class PageCostly(Page):
    name, title = "page-20ms", "Page view at 100/s, a sign-in costs the server 20 ms"
    signin_ms = 20


class PageDovecot(Page):
    """Before a real server, slow enough that it is not the machine that is measured."""

    endpoints = (peers.Direct, peers.DirectTls, peers.Imapmux, peers.ImapmuxPlain, peers.Haproxy,
                 peers.Nginx, peers.HitchImapproxy)
    rate, seconds, quick_seconds = 20, 10, 5
    scheme = ""

    @contextlib.contextmanager
    def place(self, folder):
        cert, key = peers.certificate(folder, self.certificate)
        users = {f"u{n:05}": "secret" for n in range(self.users)}
        server = Dovecot(cert, key, users=users, scheme=self.scheme,
                         extra="service auth {\n  client_limit = 6000\n}\n")
        stub = None
        try:
            server.start()
            for user in users:
                server.fill(user, 25, size=2000)
            stub = Stub(cert, key, auth_port=server.plain)
            yield peers.Place(folder, server.plain, server.tls, stub.http, cert, key)
        finally:
            if stub:
                stub.stop()
            server.remove()


class PageDovecotPlain(PageDovecot):
    in_quick = False
    name, title, scheme = "page-dovecot-plain", "Page view at 20/s, Dovecot, PLAIN passwords", "PLAIN"


class PageDovecotSha(PageDovecot):
    name, title = "page-dovecot-sha512", "Page view at 20/s, Dovecot, SHA512-CRYPT passwords"
    scheme = "SHA512-CRYPT"


class PageDovecotBlf(PageDovecot):
    in_quick = False
    name, title = "page-dovecot-blf", "Page view at 20/s, Dovecot, BLF-CRYPT passwords"
    scheme = "BLF-CRYPT"


class Hit(Workload):
    """How long the proxy itself takes: a sign-in that the pool answers, against its own NOOP.

    Each command comes 5 ms after the reply before it, as over a network. Sent at once, NOOP would find
    all caches of both ends warm, and the sign-in, the first command of its session, would not: the stub
    itself, which does nothing at either, then needs 2.5 times as long for the sign-in. It is measured
    here too, to show what the method adds.
    """

    name, title = "hit", "Sign-in reply on a pool hit, against NOOP in no mailbox, 20/s"
    main, unit = "signin_p50_us", "p50 of the sign-in's reply, µs"
    endpoints = (peers.Direct, peers.DirectTls, peers.Imapmux, peers.ImapmuxPlain)

    def measure(self, endpoint):
        figures = measured(
            Load("sessions", endpoint, LOGIN, "NOOP", "NOOP", LOGOUT, users=10, clients=4, warm_up=40,
                 rate=20, pause_ms=5, seconds=5 if self.quick else 10), endpoint)
        sign_in, noop = figures["latency", LOGIN]["p50"], figures["latency", "NOOP"]["p50"]
        return {"signin_p50_us": sign_in, "noop_p50_us": noop, "ratio": sign_in / noop}


class Noop(Workload):
    name, title = "noop", "NOOP round trip in a mailbox, 64 clients"
    main, unit = "cpu_us", "proxy CPU, µs a round trip"
    endpoints = (peers.Imapmux, *peers.BLIND, *peers.PROXIES)

    def measure(self, endpoint):
        figures = measured(
            Load("steady", endpoint, LOGIN, SELECT, "NOOP", clients=64, opening=endpoint.most_at_once, users=64, warm_up=2000,
                 operations=self.amount(60000, 15000)), endpoint)
        return {"cpu_us": figures["cpu"] / figures["count"] * 1e6,
                "a_second": figures["count"] / figures["seconds"],
                "p50_us": figures["latency", "NOOP"]["p50"], "p99_us": figures["latency", "NOOP"]["p99"]}


class Bulk(Workload):
    """Messages through the proxy, 16 clients (4 with the largest)."""

    main, unit = "cpu_us_mb", "proxy CPU, µs a MB"
    endpoints = (peers.Imapmux, *peers.BLIND, *peers.PROXIES)
    size, command = 0, ""
    full, quick_count = 0, 0

    def measure(self, endpoint):
        clients = 4 if self.size > 4e6 else 16
        figures = measured(
            Load("steady", endpoint, LOGIN, SELECT, self.command, clients=clients, opening=endpoint.most_at_once,
                 users=clients,
                 warm_up=clients, operations=self.amount(self.full, self.quick_count)), endpoint)
        volume = figures["count"] * self.size / MB
        return {"cpu_us_mb": figures["cpu"] / volume * 1e6, "mb_a_second": volume / figures["seconds"],
                "p50_ms": figures["latency", self.command]["p50"] / 1e3}


class Fetch64K(Bulk):
    name, title = "fetch-64k", "FETCH of 64 KiB"
    size, command, full, quick_count = 64 << 10, "FETCH 2 BODY.PEEK[]", 3200, 1000


class Fetch1M(Bulk):
    name, title = "fetch-1m", "FETCH of 1 MiB"
    size, command, full, quick_count = 1 << 20, "FETCH 3 BODY.PEEK[]", 400, 120


class Fetch16M(Bulk):
    name, title = "fetch-16m", "FETCH of 16 MiB"
    size, command, full, quick_count = 16 << 20, "FETCH 4 BODY.PEEK[]", 32, 12


class Append1M(Bulk):
    name, title = "append-1m", "APPEND of 1 MiB"
    size, command, full, quick_count = 1 << 20, "APPEND INBOX {1048576}", 400, 120


class Idle(Workload):
    """Sessions in a mailbox (each with its connection to the server) that do nothing."""

    main, unit = "pss_kib", "memory (PSS), KiB a session"
    endpoints = (peers.Imapmux, *peers.BLIND, *peers.PROXIES)
    is_fresh = True
    repeats, quick_repeats = 3, 1
    sessions = 0

    def measure(self, endpoint):
        # What the first sessions bring in stays: libraries, buffers of the process.
        measured(Load("sessions", endpoint, LOGIN, SELECT, LOGOUT, clients=min(16, endpoint.most_at_once),
                      users=50, operations=50),
                 endpoint)
        before = procs.pss(endpoint.pids())
        load = Load("steady", endpoint, LOGIN, SELECT, "NOOP", clients=self.sessions,
                    opening=endpoint.most_at_once, users=self.sessions)
        try:
            load.start()
            after = procs.pss(endpoint.pids())
            count = len(procs.threads(endpoint.pids()))
            before_cpu, start = procs.cpu(endpoint.pids()), time.monotonic()
            time.sleep(1)
            idle = (procs.cpu(endpoint.pids()) - before_cpu) / (time.monotonic() - start)
            load.go()
            load.wait_done()
            load.result()
        finally:
            load.close()
        return {"pss_kib": (after - before) / self.sessions / 1024, "threads": count,
                "idle_cpu_permille": idle * 1e3}


class Idle2000(Idle):
    name, title, sessions = "idle-2000", "2,000 idle sessions", 2000


class Idle8000(Idle):
    in_quick = False
    name, title, sessions = "idle-8000", "8,000 idle sessions", 8000


class Storm(Workload):
    """What signed-in sessions feel while 500 clients a second come, shake hands and go.

    Who measures, and the server, wait for no CPU; the newcomers and the proxy share what there is."""

    name, title = "storm", "NOOP of 64 live sessions while 500 clients a second hand-shake"
    main, unit = "p99_ms", "NOOP p99, ms"
    endpoints = (peers.Imapmux, *peers.BLIND, peers.Nginx, peers.DovecotProxy)
    repeats, quick_repeats = 3, 1
    is_stub_first = True

    def measure(self, endpoint):
        seconds = 3 if self.quick else 6
        live = Load("steady", endpoint, LOGIN, SELECT, "NOOP", clients=64, opening=endpoint.most_at_once, users=64, rate=5,
                    seconds=seconds)
        storm = Load("sessions", endpoint, LOGOUT, rate=500, seconds=seconds + 0.5, tolerant=True)
        try:
            live.start()
            live.put_first()
            storm.start()
            storm.go()
            time.sleep(0.3)
            live.go()
            live.wait_done()
            storm.wait_done()
            felt, came = live.result()["latency", "NOOP"], storm.result()
        finally:
            live.close()
            storm.close()
        return {"p50_ms": felt["p50"] / 1e3, "p99_ms": felt["p99"] / 1e3, "max_ms": felt["max"] / 1e3,
                "newcomer_p50_ms": came["latency", "session"]["p50"] / 1e3, "failed": came["failed"]}


class Growth(Workload):
    """The same work with 100 users and nothing else, and with 100,000 and 20,000 parked connections."""

    endpoints = (peers.ImapmuxFewUsers, peers.ImapmuxManyUsers)

    def prepare(self, endpoint):
        if isinstance(endpoint, peers.ImapmuxManyUsers):
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            parked = min(20000, limit - 500)
            measured(Load("sessions", endpoint, LOGIN, SELECT, LOGOUT, clients=16, users=parked,
                          operations=parked, resume=True), endpoint)


class GrowthSignIn(Growth):
    name, title = "growth-signin", "Cost growth, sign-in session"
    main, unit = SignIn.main, SignIn.unit

    def measure(self, endpoint):
        return SignIn.measure(self, endpoint)

    options = {}


class GrowthNoop(Growth):
    in_quick = False
    name, title = "growth-noop", "Cost growth, NOOP round trip"
    main, unit = Noop.main, Noop.unit

    def measure(self, endpoint):
        return Noop.measure(self, endpoint)


ALL = (SignInEcdsa, SignInRsa, SignInResumed, Noop, Fetch64K, Fetch1M, Fetch16M, Append1M, Hit, PageFree,
       PageCostly, PageDovecotPlain, PageDovecotSha, PageDovecotBlf, Storm, Idle2000, Idle8000,
       GrowthSignIn, GrowthNoop, SignInWorkers)


def allow_many_descriptors():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    return limit

