"""The leg to the server: transports, verification, faults, and what is told to the client."""

import base64
import socket
import ssl
import threading
import time

import pytest

from lib import certs, process
from lib.dovecot import Dovecot
from lib.fake import Fake, GREETING, friendly, serve, sign_in
from lib.process import wait_for

SECRET = "top-secret-word"
CODED = base64.b64encode(b"\0u1\0" + SECRET.encode())


def has_secret(stream):
    return SECRET.encode() in stream or CODED in stream or base64.b64encode(SECRET.encode()) in stream


def refused(proxy, code="UNAVAILABLE"):
    """The sign-in fails with this code and the connection stays usable."""
    with proxy.client() as client:
        reply = client.login("u1", SECRET).no(code)
        client.cmd("NOOP").ok()
        client.logout()
    return reply


# Python warns of what these tests refuse on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def server_context(pair, maximum=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if maximum:
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = maximum
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(*pair)
    return context


@pytest.mark.threads
@pytest.mark.parametrize("way", ["none", "starttls", "implicit"])
def test_sign_in_over_each_transport(make_proxy, server, ca, way):
    port = server.tls if way == "implicit" else server.plain
    proxy = make_proxy({"mail": {"address": f"localhost:{port}", "tls": way, "ca": ca.ca}})
    with proxy.client("u1", server.users["u1"]) as client:
        client.cmd("SELECT INBOX").ok()
        client.logout()
    if server.kind == "dovecot" and way != "none":
        assert "TLS" in server.logins("u1")[-1]


def test_unix_socket(make_proxy, mail1):
    proxy = make_proxy({"mail": {"address": f"unix:{mail1.socket}", "tls": "none"}})
    mark = mail1.mark()
    for _ in range(2):
        with proxy.client("u1", mail1.users["u1"]) as client:
            client.cmd("SELECT INBOX").ok()
            client.logout()
    assert len(mail1.logins("u1", mark)) == 1


@pytest.mark.parametrize("scheme", ["SHA512-CRYPT", "BLF-CRYPT"])
def test_servers_with_costly_password_schemes(make_proxy, certificate, scheme):
    users = {"u1": "one", "odd": "p\u00e4 ss\"w\\ord"}
    server = Dovecot(*certificate, users=users, scheme=scheme).start()
    try:
        proxy = make_proxy({"mail": server})
        for user, password in users.items():
            proxy.client(user, password).logout()
            with proxy.client() as client:
                client.login(user, password + "x").no("AUTHENTICATIONFAILED")
    finally:
        server.remove()


@pytest.fixture(scope="module")
def bad(ca):
    """Certificates that must not be accepted for `localhost`."""
    folder = process.private_dir("otherca")
    other = certs.Authority(folder, "Other CA")
    yield {"wrong-host": ca.issue("elsewhere", names=("elsewhere.example",)),
           "expired": ca.issue("expired", names=("localhost",), expired=True),
           "unknown-ca": other.issue("localhost"),
           "client-only": ca.issue("clientonly", names=("localhost",), client=True)}
    process.remove_dir(folder)


def starttls_then(context):
    """A friendly server behind STARTTLS."""
    def play(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] ready\r\n")
        while True:
            line = peer.line()
            tag, word = line.split()[:2]
            if word.upper() == b"STARTTLS":
                peer.send(tag + b" OK go\r\n")
                break
            peer.send(b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n" + tag + b" OK done\r\n")
        peer.starttls(context)
        # After STARTTLS there is no greeting: the dialogue goes on.
        sign_in(peer, greeting=b"")
        serve(peer)
    return play


@pytest.mark.parametrize("fault", ["wrong-host", "expired", "unknown-ca", "client-only"])
@pytest.mark.parametrize("way", ["starttls", "implicit"])
def test_S15_an_unverified_server_gets_no_credential(make_proxy, ca, bad, way, fault):
    context = server_context(bad[fault])
    script = starttls_then(context) if way == "starttls" else friendly
    with Fake(script, context=context if way == "implicit" else None) as server:
        where = {"address": f"localhost:{server.port}", "tls": way, "ca": ca.ca}
        refused(make_proxy({"fake": where}))
        assert not has_secret(server.received())
        with make_proxy({"fake": {**where, "verify": False}}).client("u1", SECRET) as client:
            client.cmd("NOOP").ok()


@pytest.mark.parametrize("way", ["starttls", "implicit"])
def test_S15_server_name_decides_whom_to_verify_and_is_sent_as_sni(make_proxy, ca, bad, way):
    seen = []
    context = server_context(bad["wrong-host"])
    context.sni_callback = lambda _sock, name, _context: seen.append(name)
    script = starttls_then(context) if way == "starttls" else friendly
    with Fake(script, context=context if way == "implicit" else None) as server:
        where = {"address": f"127.0.0.1:{server.port}", "tls": way, "ca": ca.ca,
                 "server_name": "elsewhere.example"}
        make_proxy({"fake": where}).client("u1", SECRET).logout()
        assert seen == ["elsewhere.example"]


@pytest.mark.parametrize("way", ["starttls", "implicit"])
def test_S15_a_server_with_old_tls_only_is_refused(make_proxy, ca, certificate, way):
    context = server_context(certificate, maximum=ssl.TLSVersion.TLSv1_1)
    script = starttls_then(context) if way == "starttls" else friendly
    with Fake(script, context=context if way == "implicit" else None) as server:
        refused(make_proxy({"fake": {"address": f"localhost:{server.port}", "tls": way, "ca": ca.ca}}))
        assert not has_secret(server.received())


def stripped(peer):
    peer.send(GREETING)
    while True:
        tag, word = peer.line().split()[:2]
        if word.upper() == b"CAPABILITY":
            peer.send(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")
        peer.send(tag + (b" BAD no such command\r\n" if word.upper() == b"STARTTLS" else b" OK done\r\n"))


def answers_starttls(text):
    def script(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] ready\r\n")
        while True:
            tag, word = peer.line().split()[:2]
            if word.upper() == b"STARTTLS":
                peer.send(text.replace(b"TAG", tag))
            else:
                peer.send(tag + b" OK done\r\n")
    return script


def says(text):
    def script(peer):
        peer.send(text)
        while True:
            line = peer.line()
            peer.send(line.split()[0] + b" OK done\r\n")
    return script


@pytest.mark.threads
@pytest.mark.parametrize("script", [
    stripped,
    answers_starttls(b"TAG NO not now\r\n"),
    answers_starttls(b"TAG BAD what\r\n"),
    answers_starttls(b"* BYE no\r\n"),
    answers_starttls(b"TAG OK go\r\nA1 OK [CAPABILITY IMAP4rev1 AUTH=PLAIN XEVIL] in\r\n"),
    answers_starttls(b"TAG OK go\r\n* OK plain text\r\n"),
    answers_starttls(b"other OK go\r\n"),
    says(b"* PREAUTH [CAPABILITY IMAP4rev1] you are in\r\n"),
    says(b"* PREAUTH hello\r\n"),
    says(b"* BYE full\r\n"),
    says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    says(b"+OK POP3 ready\r\n"),
    says(b"\0\0\0\0\r\n"),
    says(b"* OK " + b"x" * 1000000),
], ids=["stripped", "starttls-no", "starttls-bad", "starttls-bye", "injected-reply",
        "injected-untagged", "wrong-tag", "preauth-caps", "preauth", "bye", "http", "pop3", "nul",
        "endless-line"])
def test_S2_S4_no_credential_leaves_over_a_leg_that_should_be_tls(make_proxy, ca, script):
    with Fake(script) as server:
        proxy = make_proxy({"fake": server.where(tls="starttls", ca=ca.ca)},
                           limits={"signin_timeout": "2s"})
        refused(proxy)
        assert not has_secret(server.received())


def test_S4_preauth_is_refused_without_tls_too(make_proxy):
    with Fake(says(b"* PREAUTH [CAPABILITY IMAP4rev1] you are in\r\n")) as server:
        refused(make_proxy({"fake": server.where()}))
        assert not has_secret(server.received())


def test_S4_a_referral_is_not_followed_nor_shown(make_proxy):
    with Fake(friendly) as trap:
        def refers(peer):
            peer.send(GREETING)
            while True:
                tag, word = peer.line().split()[:2]
                if word.upper() in (b"LOGIN", b"AUTHENTICATE"):
                    peer.send(tag + b" NO [REFERRAL imap://evil@127.0.0.1:%d/] go there\r\n" % trap.port)
                else:
                    peer.send(tag + b" OK done\r\n")

        with Fake(refers) as server:
            proxy = make_proxy({"fake": server.where()})
            with proxy.client() as client:
                reply = client.login("u1", SECRET).no()
                assert "REFERRAL" not in reply.text and "evil" not in reply.text
            assert trap.connections() == 0


def verdict(text):
    """A server that answers each sign-in with this."""
    def script(peer):
        peer.send(GREETING)
        while True:
            line = peer.line()
            tag, word = line.split()[:2]
            if word.upper() in (b"LOGIN", b"AUTHENTICATE"):
                peer.send(text.replace(b"TAG", tag))
            else:
                peer.send(tag + b" OK done\r\n")
    return script


@pytest.mark.parametrize("text, shown", [
    (b"TAG NO user u1 has no mailbox on host7\r\n", "[AUTHENTICATIONFAILED]"),
    (b"TAG NO [AUTHENTICATIONFAILED] u1 unknown\r\n", "[AUTHENTICATIONFAILED]"),
    (b"TAG NO [UNAVAILABLE] database host7 down\r\n", "[UNAVAILABLE]"),
    (b"TAG NO [LIMIT] too many\r\n", "[LIMIT]"),
    (b"TAG NO [ALERT] Pay your bill\r\n", "[ALERT]"),
    (b"TAG NO [EXPIRED] change it\r\n", "[EXPIRED]"),
    (b"TAG NO [CONTACTADMIN] call us\r\n", "[CONTACTADMIN]"),
    (b"TAG NO [PRIVACYREQUIRED] tls\r\n", "[PRIVACYREQUIRED]"),
    (b"TAG NO [XINTERNAL host7] no\r\n", "[AUTHENTICATIONFAILED]"),
])
def test_S22_the_servers_verdict_is_passed_on_its_words_are_not(make_proxy, text, shown):
    with Fake(verdict(text)) as server:
        proxy = make_proxy({"fake": server.where()})
        with proxy.client() as client:
            reply = client.login("u1", SECRET).no()
            assert reply.text.startswith(shown), reply.text
            assert "host7" not in reply.text and "u1" not in reply.text
            client.cmd("NOOP").ok()


@pytest.mark.threads
def test_server_down_then_up_on_the_same_client_connection(make_proxy):
    port = process.free_port()
    proxy = make_proxy({"fake": {"address": f"127.0.0.1:{port}", "tls": "none"}})
    with proxy.client() as client:
        client.login("u1", SECRET).no("UNAVAILABLE")
        listener = socket.create_server(("127.0.0.1", port))
        fake = Fake(friendly)
        fake.listener.close()
        fake.listener = listener
        threading.Thread(target=fake._accept, daemon=True).start()

        def second():
            return client.login("u1", SECRET).status == "OK"

        # A proxy that remembers the failure for a moment may refuse once more.
        wait_for(second, "signed in", interval=0.2)
        client.cmd("NOOP").ok()
        client.logout()
        fake.__exit__()


def test_two_addresses_the_second_answers(make_proxy):
    """localhost is ::1 and 127.0.0.1; only one of them listens."""
    with Fake(friendly) as server:
        proxy = make_proxy({"fake": {"address": f"localhost:{server.port}", "tls": "none"}})
        proxy.client("u1", SECRET).logout()


def test_an_unresolvable_name_is_unavailable(make_proxy):
    refused(make_proxy({"fake": {"address": "no-such-host.invalid:143", "tls": "none"}},
                       limits={"connect_timeout": "3s"}))


@pytest.mark.parametrize("script", [
    lambda peer: peer.until_eof(),
    lambda peer: (peer.send(GREETING), peer.until_eof()),
    lambda peer: (peer.send(b"* OK"), peer.until_eof()),
], ids=["no-greeting", "no-answer", "half-greeting"])
def test_a_silent_server_is_given_up_after_the_deadline(make_proxy, script):
    with Fake(script) as server:
        refused(make_proxy({"fake": server.where()}, limits={"signin_timeout": "1s",
                                                             "connect_timeout": "1s"}))


@pytest.mark.parametrize("script", [
    lambda peer: None,
    lambda peer: peer.reset(),
    lambda peer: (peer.send(GREETING), peer.line()),
    lambda peer: (peer.send(GREETING), peer.line(), peer.reset()),
], ids=["close", "reset", "close-at-sign-in", "reset-at-sign-in"])
def test_a_server_that_hangs_up_is_unavailable(make_proxy, script):
    with Fake(script) as server:
        refused(make_proxy({"fake": server.where()}))


def test_server_with_login_only(make_proxy):
    """No AUTH=PLAIN, no SASL-IR: the LOGIN command, odd values as quoted strings or literals."""
    for user, password in (("u1", "simple"), ("a b", 'q"u\\o'), ("\u00fc", "\u00e4"), ("x", "y" * 300)):
        with Fake(lambda peer: (sign_in(peer, greeting=b"* OK [CAPABILITY IMAP4rev1] ready\r\n"),
                                serve(peer))) as server:
            proxy = make_proxy({"fake": server.where()})
            with proxy.client() as client:
                client.login(user, password).ok()
                client.cmd("NOOP").ok()
            assert b"AUTHENTICATE" not in server.received()


def test_server_without_sasl_ir_is_asked_first(make_proxy):
    greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN LOGINDISABLED] ready\r\n"
    with Fake(lambda peer: (sign_in(peer, greeting=greeting), serve(peer))) as server:
        make_proxy({"fake": server.where()}).client("u1", SECRET).logout()
        assert b"AUTHENTICATE PLAIN\r\n" in server.received()


def test_server_that_takes_no_plain_password_gets_none(make_proxy):
    greeting = b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=SCRAM-SHA-256] ready\r\n"
    with Fake(says(greeting)) as server:
        refused(make_proxy({"fake": server.where()}))
        assert not has_secret(server.received())


def test_greeting_without_capabilities_makes_the_proxy_ask(make_proxy):
    with Fake(lambda peer: (sign_in(peer, greeting=b"* OK hello\r\n"), serve(peer))) as server:
        make_proxy({"fake": server.where()}).client("u1", SECRET).logout()


def test_client_address_reaches_a_trusting_server(make_proxy, certificate):
    """Dovecot keeps its penalties and limits by address: it must not see the proxy's own."""
    server = Dovecot(*certificate, trusted="127.0.0.0/8").start()
    try:
        proxy = make_proxy({"mail": server})
        mark = server.mark()
        with proxy.client(source=("127.0.0.77", 0)) as client:
            client.login("u1", server.users["u1"]).ok()
            client.logout()
        assert "rip=127.0.0.77" in server.logins("u1", mark)[0]
        quiet = make_proxy({"mail": {**server.where(), "send_id": False}})
        mark = server.mark()
        with quiet.client(source=("127.0.0.77", 0)) as client:
            client.login("u2", server.users["u2"]).ok()
            client.logout()
        assert "rip=127.0.0.1," in server.logins("u2", mark)[0]
    finally:
        server.remove()


def test_S20_a_clients_own_address_claims_are_not_passed_on(make_proxy, certificate):
    server = Dovecot(*certificate, trusted="127.0.0.0/8").start()
    try:
        proxy = make_proxy({"mail": server})
        mark = server.mark()
        with proxy.client() as client:
            client.cmd('ID ("x-originating-ip" "6.6.6.6" "name" "liar")').ok()
            client.login("u1", server.users["u1"]).ok()
            client.cmd('ID ("x-originating-ip" "6.6.6.6")').ok()
            client.logout()
        assert "6.6.6.6" not in "".join(server.logins("u1", mark))
    finally:
        server.remove()


def test_a_penalty_for_one_client_does_not_slow_down_another(make_proxy, certificate):
    server = Dovecot(*certificate, trusted="127.0.0.0/8", penalty=True).start()
    try:
        proxy = make_proxy({"mail": server})
        took = []
        for n in range(3):  # a busy machine may be slow once
            with proxy.client(source=(f"127.0.0.{66 + n}", 0)) as stranger:
                stranger.login("u1", f"guess{n}").no()
            start = time.monotonic()
            with proxy.client(source=("127.0.0.5", 0)) as client:
                client.login(f"u{2 + n}", server.users[f"u{2 + n}"]).ok()
            took.append(time.monotonic() - start)
            if took[-1] < 3.5:
                break
        assert min(took) < 3.5, took  # four seconds, if he were taken for the stranger
    finally:
        server.remove()


@pytest.mark.parametrize("told", [
    lambda peer, tag: peer.send(b"* CAPABILITY IMAP4rev1 UIDPLUS LOGINDISABLED AUTH=PLAIN COMPRESS=DEFLATE\r\n"
                                + tag + b" OK done\r\n"),
    lambda peer, tag: peer.send(b"* OK [CAPABILITY IMAP4rev1 UIDPLUS STARTTLS UNAUTHENTICATE] x\r\n"
                                + tag + b" OK done\r\n"),
    lambda peer, tag: peer.send(tag + b" OK [CAPABILITY IMAP4rev1 UIDPLUS AUTH=CRAM-MD5 LOGIN-REFERRALS] x\r\n"),
    lambda peer, tag: peer.send(b"* capability IMAP4rev1 UIDPLUS starttls auth=plain\r\n" + tag + b" OK x\r\n"),
], ids=["untagged", "untagged-code", "tagged-code", "lower-case"])
def test_capabilities_are_rewritten_wherever_they_appear(make_proxy, told):
    def script(peer):
        sign_in(peer)
        serve(peer, {"CHECK": told})

    with Fake(script) as server:
        proxy = make_proxy({"fake": server.where()})
        with proxy.client("u1", SECRET) as client:
            client.cmd("SELECT INBOX").ok()  # without a mailbox the proxy may answer CHECK by itself
            raw = client.cmd("CHECK").ok().raw.upper()
            assert b"UIDPLUS" in raw
            for word in (b"AUTH=", b"LOGINDISABLED", b"STARTTLS", b"COMPRESS", b"UNAUTHENTICATE",
                         b"LOGIN-REFERRALS"):
                assert word not in raw, raw


def test_S18_commands_that_would_change_the_identity_or_blind_the_proxy_stay_here(make_proxy):
    def script(peer):
        sign_in(peer, capabilities=b"IMAP4rev1 UNAUTHENTICATE COMPRESS=DEFLATE UNSELECT")
        serve(peer)

    with Fake(script) as server:
        proxy = make_proxy({"fake": server.where()})
        with proxy.client("u1", SECRET) as client:
            for command in ("UNAUTHENTICATE", "X-UNAUTHENTICATE", "unauthenticate", "STARTTLS",
                            "LOGIN u2 other", "AUTHENTICATE PLAIN", "AUTHENTICATE PLAIN AHUyAHg=",
                            "COMPRESS DEFLATE"):
                assert client.cmd(command).status in ("NO", "BAD"), command
            client.cmd("NOOP").ok()
            client.logout()
        after = server.received().split(CODED)[-1].upper()
        for word in (b"UNAUTH", b"STARTTLS", b"LOGIN", b"AUTHENTICATE", b"COMPRESS"):
            assert word not in after, after


def test_capabilities_hide(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, capabilities={"hide": ["QRESYNC", "notify"]})
    with proxy.client() as client:
        client.login("u1", mail1.users["u1"]).ok()
        told = client.capabilities()
        assert not {"QRESYNC", "NOTIFY"} & told and "CONDSTORE" in told
