"""Servers of another decade behind the proxy: what they lack, the proxy provides."""

import base64
import contextlib
import re
import ssl

import pytest

from lib.fake import Fake
from lib.imap import Client
from lib.mail import message

# Python warns of versions of TLS that these tests use on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

BIG = 300_000


class Old:
    """A server with one user, one mailbox, and no extension at all. It takes a literal only after it
    has said "+", answers what it does not know BAD, and never two commands at once."""

    def __init__(self, words="IMAP4rev1", lower=False):
        self.words, self.lower = words, lower
        self.appended, self.verbs = [], []

    def say(self, peer, text):
        peer.send((text.lower() if self.lower else text) + "\r\n")

    def command(self, peer):
        """One command: tag, verb, its whole text, and its literals."""
        text, literals = "", []
        while True:
            line = peer.line().decode("latin-1")
            assert line.endswith("\r\n"), line
            text += line[:-2]
            header = re.search(r"\{(\d+)(\+?)\}\r\n$", line)
            if not header:
                break
            assert not header[2], f"a literal that does not wait: {line!r}"
            peer.send("+ go ahead\r\n")
            literals.append(peer.exactly(int(header[1])))
        tag, verb = text.split(" ")[:2]
        return tag, verb.upper(), text, literals

    def __call__(self, peer):
        with contextlib.suppress(EOFError, ConnectionError):
            self.serve(peer)

    def serve(self, peer):
        self.say(peer, "* OK IMAP4 ready")
        user = None
        while True:
            tag, verb, text, literals = self.command(peer)
            self.verbs.append(verb)
            if verb == "CAPABILITY":
                self.say(peer, "* CAPABILITY " + self.words)
            elif verb == "LOGOUT":
                self.say(peer, "* BYE bye")
                self.say(peer, f"* {tag} OK bye"[2:])
                return
            elif verb == "LOGIN" and user is None:
                words = re.findall(r'"((?:[^"\\]|\\.)*)"|\{\d+\}', text)
                values = [re.sub(r"\\(.)", r"\1", word) if word else literals.pop(0).decode()
                          for word in words]
                if values[-2:] != ["u1", 'pass "word"']:
                    self.tagged(peer, tag, "NO wrong")
                    continue
                user = values[-2]
            elif user is None:
                self.tagged(peer, tag, "BAD who are you")
                continue
            elif verb in ("SELECT", "EXAMINE"):
                for line in ("* FLAGS (\\Seen)", "* 1 EXISTS", "* 0 RECENT"):
                    self.say(peer, line)
                self.tagged(peer, tag, "OK [READ-ONLY] open" if verb == "EXAMINE" else
                            "OK [READ-WRITE] open")
                continue
            elif verb == "APPEND":
                self.appended += literals
            elif verb == "FIND":
                self.say(peer, "* MAILBOX inbox")
            elif verb == "PARTIAL":
                peer.send("* 1 FETCH (RFC822 {5}\r\nhello)\r\n")
            elif verb not in ("NOOP", "CHECK", "CLOSE", "EXPUNGE", "SEARCH", "LIST"):
                self.tagged(peer, tag, "BAD what is that")
                continue
            self.tagged(peer, tag, "OK done")

    def tagged(self, peer, tag, text):
        peer.send(tag + " ")
        self.say(peer, text)


@pytest.fixture(params=["IMAP4rev1", "IMAP4", "lower"])
def old(request):
    """RFC 2060 with nothing but the base protocol; RFC 1730; the same in small letters."""
    server = Old("IMAP4" if request.param == "lower" else request.param, request.param == "lower")
    with Fake(server) as fake:
        server.where = fake.where
        yield server
        fake.check()


SECRET = 'pass "word"'


def words_of(client):
    """The list in capitals: some servers write small."""
    line, = client.cmd("CAPABILITY").ok().untagged
    assert line.upper().startswith(b"* CAPABILITY "), line
    return set(line.decode().upper().split()[2:])


def sign_ins(client, way):
    plain = base64.b64encode(b"\0u1\0" + SECRET.encode()).decode()
    if way == "login":
        return client.login("u1", SECRET)
    if way == "literals":
        tag = "a"
        client.send(b"a LOGIN {2+}\r\nu1 {%d+}\r\n%s\r\n" % (len(SECRET), SECRET.encode()))
        return client.until(tag)
    return client.cmd(f"AUTHENTICATE PLAIN {plain}")


@pytest.mark.parametrize("way", ["login", "literals", "initial"])
@pytest.mark.parametrize("kind", ["plain", "tls", "starttls"])
def test_sign_in_in_modern_ways(make_proxy, old, certificate, tls, way, kind):
    proxy = make_proxy({"old": old.where()}, kinds=(kind,), certificate=certificate)
    with Client(proxy.address(), tls=tls if kind == "tls" else None) as client:
        if kind == "starttls":
            client.starttls(tls)
        assert {"SASL-IR", "LITERAL+", "ID", "AUTH=PLAIN"} <= client.capabilities()
        reply = client.cmd('ID ("name" "test")').ok()
        assert reply.find("* ID "), reply.raw
        sign_ins(client, way).ok()
        reply = client.cmd('ID ("name" "test")').ok()
        assert reply.find("* ID NIL"), reply.raw
        words = words_of(client)
        assert {"SASL-IR", "LITERAL+", "ID"} <= words and not {"IDLE", "UNSELECT", "AUTH=PLAIN"} & words
        client.cmd("SELECT INBOX").ok()
        client.logout()
    assert set(old.verbs) <= {"CAPABILITY", "LOGIN", "SELECT", "EXAMINE", "CLOSE", "NOOP", "LOGOUT"}


def test_a_wrong_password_is_one(make_proxy, old):
    proxy = make_proxy({"old": old.where()})
    with proxy.client() as client:
        client.login("u1", "wrong").no("AUTHENTICATIONFAILED")
        client.login("u1", SECRET).ok()


def test_literals_that_do_not_wait(make_proxy, old):
    """All at once from the client, in the server's own time to the server; commands behind them too."""
    proxy = make_proxy({"old": old.where()})
    mail = message(1, size=BIG)
    with proxy.client("u1", SECRET) as client:
        client.send(b"a APPEND inbox {%d+}\r\n%s\r\nb NOOP\r\nc SEARCH SUBJECT {5+}\r\nhello TEXT {1+}\r\nx\r\n"
                    b"d APPEND inbox {%d+}\r\n%s\r\n" % (len(mail), mail, len(mail), mail))
        for tag in "abcd":
            client.until(tag).ok()
        client.logout()
    assert old.appended == [mail, mail]
    assert old.verbs.count("SEARCH") == 1


def test_pooled_like_the_others(make_proxy, old):
    """Without UNSELECT a mailbox is left by EXAMINE and CLOSE."""
    proxy = make_proxy({"old": old.where()})

    def work(client):
        client.cmd("SELECT INBOX").ok()
        client.cmd("CHECK").ok()

    for _ in range(3):
        proxy.session("u1", SECRET, work)
    assert old.verbs.count("LOGIN") == 1
    assert old.verbs.count("EXAMINE") == old.verbs.count("CLOSE") >= 2


def test_commands_of_imap4(make_proxy, old):
    """Relayed although the proxy does not know them; what it does not know is not pooled."""
    proxy = make_proxy({"old": old.where()})
    with proxy.client("u1", SECRET) as client:
        reply = client.cmd("FIND MAILBOXES *").ok()
        assert reply.find("* MAILBOX inbox") or reply.find("* mailbox inbox"), reply.raw
        client.cmd("SELECT INBOX").ok()
        assert b"hello" in client.cmd("PARTIAL 1 RFC822 1 5").ok().raw
        client.cmd("UID EXPUNGE 1").bad()
        client.cmd("NAMESPACE").bad()
        client.logout()
    assert proxy.wait_event(msg="session end")["kept"] == "no"


def test_the_client_waits_while_a_slow_server_takes_its_literal(make_proxy):
    """Bounded buffers: a client that sends everything at once is stopped by its own window."""
    size = 64 << 20
    gate = []

    class Slow(Old):
        def command(self, peer):
            if "SELECT" in self.verbs and not gate:
                peer.line()
                gate.append(True)
                peer.until_eof()  # reads on without the "+" that would be the go-ahead
                raise EOFError
            return super().command(peer)

    with Fake(Slow()) as server:
        proxy = make_proxy({"old": server.where()})
        with proxy.client("u1", SECRET) as client:
            client.cmd("SELECT INBOX").ok()
            before = proxy.rss_kib()
            client.sock.settimeout(3)
            sent = 0
            client.send(b"a APPEND inbox {%d+}\r\n" % size)
            with pytest.raises(TimeoutError):
                while sent < size:
                    sent += client.sock.send(b"x" * 65536)
            assert sent < size // 2
            assert proxy.rss_kib() - before < 8 << 10
            client.kill()


# TLS of the time.


def old_tls(pair, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(*pair)
    return context


def starttls_then(server, context):
    def play(peer):
        server.say(peer, "* OK IMAP4 ready")
        while True:
            tag, verb, _, _ = server.command(peer)
            server.say(peer, "* CAPABILITY IMAP4rev1 STARTTLS" if verb == "CAPABILITY" else "* OK hm")
            server.tagged(peer, tag, "OK go")
            if verb == "STARTTLS":
                break
        peer.starttls(context)
        server.say = lambda peer, text: text.startswith("* OK IMAP4") or Old.say(server, peer, text)
        server(peer)  # without a second greeting
    return play


@pytest.mark.parametrize("version,oldest,works", [
    ("TLSv1", "1.0", True), ("TLSv1", "1.1", False), ("TLSv1", None, False), ("TLSv1_1", "1.1", True),
    ("TLSv1_1", "1.0", True), ("TLSv1_1", "1.2", False), ("TLSv1_2", None, True),
    ("TLSv1_2", "1.3", False), ("TLSv1_3", "1.3", True), ("TLSv1_3", "1.0", True)])
@pytest.mark.parametrize("way", ["implicit", "starttls"])
def test_S15_old_tls_toward_a_server_only_where_it_says_so(
        make_proxy, ca, certificate, way, version, oldest, works):
    context = old_tls(certificate, getattr(ssl.TLSVersion, version))
    server = Old()
    script = server if way == "implicit" else starttls_then(server, context)
    with Fake(script, context=context if way == "implicit" else None) as fake:
        where = {"address": f"localhost:{fake.port}", "tls": way, "ca": ca.ca}
        if oldest:
            where["min_version"] = oldest
        proxy = make_proxy({"old": where})
        with proxy.client() as client:
            if works:
                client.login("u1", SECRET).ok()
                client.cmd("SELECT INBOX").ok()
                mail = message(1, size=BIG)
                assert client.append(mail).status == "OK"
                assert server.appended == [mail]
            else:
                client.login("u1", SECRET).no("UNAVAILABLE")
                assert b"LOGIN" not in fake.received()


def test_old_tls_is_verified_all_the_same(make_proxy, ca):
    pair = ca.issue("elsewhere", names=("elsewhere.example",))
    context = old_tls(pair, ssl.TLSVersion.TLSv1)
    with Fake(Old(), context=context) as fake:
        proxy = make_proxy({"old": {"address": f"localhost:{fake.port}", "tls": "implicit", "ca": ca.ca,
                                    "min_version": "1.0"}})
        with proxy.client() as client:
            client.login("u1", SECRET).no("UNAVAILABLE")
        assert b"LOGIN" not in fake.received()


# A real server that has none of it.


@pytest.fixture(scope="module", params=["none", "starttls", "implicit"])
def before_courier(request, courier, ca):
    port = courier.tls if request.param == "implicit" else courier.plain
    return {"address": f"localhost:{port}", "tls": request.param, "ca": ca.ca}


def test_courier_made_modern(make_proxy, courier, before_courier, certificate, tls):
    proxy = make_proxy({"courier": before_courier}, kinds=("tls",), certificate=certificate)
    plain = base64.b64encode(b"\0u7\0" + courier.users["u7"].encode()).decode()
    mail = message(7, size=BIG)
    with Client(proxy.address(), tls=tls) as client:
        assert {"SASL-IR", "LITERAL+", "ID"} <= client.capabilities()
        client.cmd(f"AUTHENTICATE PLAIN {plain}").ok()
        assert {"SASL-IR", "LITERAL+", "ID", "UIDPLUS"} <= client.capabilities()
        assert client.cmd('ID ("name" "test")').ok().find("* ID ")
        client.send(b"a APPEND INBOX {%d+}\r\n%s\r\nb SELECT INBOX\r\nc SEARCH SUBJECT {4+}\r\nnone\r\n"
                    b"d STATUS {5+}\r\nINBOX (MESSAGES)\r\n" % (len(mail), mail))
        for tag in "abcd":
            client.until(tag).ok()
        # What the server refuses: its octets are no commands.
        client.send(b"e APPEND INBOX.none {14+}\r\nf CREATE oops\r\n\r\ng NOOP\r\n")
        client.until("e").no()
        client.until("g").ok()
        assert not client.cmd('LIST "" *oops*').ok().untagged
        client.logout()


def test_literal_minus_where_plus_is_hidden(make_proxy, courier):
    proxy = make_proxy({"courier": courier}, capabilities={"hide": ["LITERAL+"]})
    with proxy.client() as client:
        assert "LITERAL-" in client.capabilities()
        client.login("u1", courier.users["u1"]).ok()
        assert "LITERAL-" in client.capabilities() and "LITERAL+" not in client.capabilities()
        small, large = message(1, size=4000)[:4096], message(2, size=5000)
        client.send(b"a APPEND INBOX {%d+}\r\n%s\r\n" %
                    (len(small), small))
        client.until("a").ok()
        client.send(b"b APPEND INBOX {%d+}\r\n%s\r\nc NOOP\r\n" % (len(large), large))
        assert client.until("b").bad().text.startswith("[TOOBIG]")
        client.until("c").ok()
        client.append(large).ok()
