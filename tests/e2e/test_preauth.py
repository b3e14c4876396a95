"""The dialogue before sign-in."""

import base64
import contextlib
import threading
import time

import pytest

from lib.fake import Fake, friendly
from lib.imap import Client, Closed, astring, codes
from lib.process import wait_for
from lib.proxy import at_most

pytestmark = pytest.mark.threads


@pytest.fixture(scope="module")
def mux(module_proxies, mail1):
    return module_proxies(mail1)


def b64(*parts):
    return base64.b64encode(b"\0".join(part.encode() for part in parts))


def test_greeting_capability_noop_id_logout(mux):
    client = mux.client()
    assert client.greeting.startswith(b"* OK [CAPABILITY IMAP4rev1 ")
    assert client.capabilities() == codes(client.greeting)
    client.cmd("NOOP").ok()
    client.cmd("noop").ok()
    client.cmd('ID ("name" "test" "version" NIL)').ok()
    reply = client.cmd("ID NIL").ok()
    assert reply.find("* ID ")
    client.logout()


@pytest.mark.parametrize("stream", [
    b'LOGIN u1 %(p)s', b'LOGIN "u1" "%(p)s"', b"login u1 %(p)s", b'LOGIN "u1" %(p)s',
    b"LOGIN {2+}\r\nu1 {%(n)d+}\r\n%(p)s", b'LOGIN "u1" {%(n)d+}\r\n%(p)s', b"LOGIN {2+}\r\nu1 \"%(p)s\"",
    b"LOGIN {02+}\r\nu1 %(p)s"])
def test_login_arguments_in_every_form(mux, mail1, stream):
    password = mail1.users["u1"].encode()
    with mux.client() as client:
        tag = client.start(stream % {b"p": password, b"n": len(password)})
        client.until(tag).ok()
        client.cmd("SELECT INBOX").ok()
        client.logout()


def test_login_with_synchronising_literals(mux, mail1):
    password = mail1.users["u1"].encode()
    with mux.client() as client:
        tag = client.start("LOGIN {2}")
        client.challenge()
        client.send(b"u1 {%d}\r\n" % len(password))
        client.challenge()
        client.send(password + b"\r\n")
        client.until(tag).ok()
        client.logout()


def test_login_with_odd_names_in_quotes_and_in_literals(mux, mail1):
    for user in ('quo"te', "back\\slash", "with space", "curly{5}", "j\u00fcrgen"):
        password = mail1.users[user]
        for form in (astring, lambda value: b"{%d+}\r\n%s" % (len(value.encode()), value.encode()),
                     lambda value: b'"%s"' % value.encode().replace(b"\\", b"\\\\")
                     .replace(b'"', b'\\"')):
            with mux.client() as client:
                client.cmd(b"LOGIN " + form(user) + b" " + form(password)).ok()
                client.logout()


@pytest.mark.parametrize("stream", [
    b"AUTHENTICATE PLAIN %s", b"authenticate plain %s", b"AUTHENTICATE PLAIN\r\n%s"])
def test_plain_before_and_after_the_challenge(mux, mail1, stream):
    with mux.client() as client:
        tag = client.start(stream % b64("", "u1", mail1.users["u1"]))
        client.until(tag) if b"\r\n" not in stream else client.challenge()
        if b"\r\n" in stream:
            client.until(tag).ok()
        client.cmd("SELECT INBOX").ok()


def test_cancel_leaves_a_clean_dialogue(mux, mail1):
    with mux.client() as client:
        for mechanism in ("PLAIN", "LOGIN"):
            tag = client.start(f"AUTHENTICATE {mechanism}")
            client.challenge()
            client.send("*\r\n")
            client.until(tag).bad()
        tag = client.start("AUTHENTICATE LOGIN")
        client.challenge()
        client.send(b64("u1") + b"\r\n")
        client.challenge()
        client.send("*\r\n")
        client.until(tag).bad()
        client.login("u1", mail1.users["u1"]).ok()


@pytest.mark.parametrize("response", [
    b"=", b"", b"!!!!", b"AAA", b"dTE=", base64.b64encode(b"\0u1"), base64.b64encode(b"\0\0\0"),
    base64.b64encode(b"u1\0u1\0p\0x"), base64.b64encode(b"\0\0p"), base64.b64encode(b"\0u1\0"),
    base64.b64encode(b"\0u1\0" + b"x" * 5000), b"AH UxAHg=", b"AHUxAHg=\0"])
def test_S10_S14_malformed_sasl_is_refused_and_the_next_attempt_works(mux, mail1, response):
    with mux.client() as client:
        tag = client.start("AUTHENTICATE PLAIN")
        client.challenge()
        client.send(response + b"\r\n")
        reply = client.until(tag)
        assert reply.status in ("NO", "BAD")
        client.login("u1", mail1.users["u1"]).ok()


def test_a_sasl_response_without_end_ends_the_connection(mux):
    client = mux.client()
    client.start("AUTHENTICATE PLAIN")
    client.challenge()
    client.send(base64.b64encode(b"\0u1\0" + b"x" * 20000) + b"\r\n")
    assert client.rest() in (b"", b"* BYE Command line too long\r\n")


def test_nul_in_a_name_or_password_is_refused(mux, mail1):
    """Dovecot cuts a literal at NUL: a pool keyed by the whole would lend u1's connection."""
    mark = mail1.mark()
    with mux.client() as client:
        password = mail1.users["u1"].encode()
        client.send(b"x LOGIN {4+}\r\nu1\0x {%d+}\r\n%s\r\n" % (len(password), password))
        assert client.until("x").status in ("NO", "BAD")
        client.send(b"y LOGIN {2+}\r\nu1 {%d+}\r\n%s\0x\r\n" % (len(password) + 2, password))
        assert client.until("y").status in ("NO", "BAD")
        client.cmd("NOOP").ok()
    assert mail1.logins("u1", mark) == []


def test_S21_a_pipelined_sign_in_split_at_every_byte(mux, mail1):
    """What stands behind the sign-in is answered once, after it, in order."""
    stream = b'a LOGIN u1 "%s"\r\nb NOOP\r\nc SELECT INBOX\r\nd NOOP\r\n' % mail1.users["u1"].encode()
    for cut in range(len(stream) + 1):
        with mux.client() as client:
            client.send(stream[:cut])
            if cut % 4 == 0:
                client.linger(0.001)
            client.send(stream[cut:])
            tags, lines = [], b""
            while tags[-1:] != [b"d"]:
                line = client.response()
                lines += line
                if not line.startswith(b"* "):
                    tags.append(line.split(b" ")[0])
                assert line.split(b" ")[0] == b"*" or line.split(b" ")[1] == b"OK", line
            assert tags == [b"a", b"b", b"c", b"d"], (cut, tags)
            client.logout()


def test_S21_authenticate_split_at_every_byte(mux, mail1):
    stream = b"a AUTHENTICATE PLAIN %s\r\nb NOOP\r\n" % b64("", "u1", mail1.users["u1"])
    for cut in range(len(stream) + 1):
        with mux.client() as client:
            client.send(stream[:cut])
            if cut % 4 == 0:
                client.linger(0.001)
            client.send(stream[cut:])
            assert client.until("a").ok().untagged == []
            assert client.until("b").ok().untagged == []
            client.logout()


def test_commands_behind_a_failed_sign_in_are_answered_before_sign_in(mux):
    with mux.client() as client:
        client.send(b"a LOGIN u1 wrong\r\nb NOOP\r\nc SELECT INBOX\r\n")
        client.until("a").no()
        client.until("b").ok()
        client.until("c").bad()


def test_commands_of_a_session_are_bad_before_sign_in(mux):
    for command in ("SELECT INBOX", 'LIST "" *', "UNAUTHENTICATE", "ENABLE QRESYNC", "IDLE", "FETCH 1 FLAGS"):
        with mux.client() as client:
            client.cmd(command).bad()
            client.logout()


def test_after_a_few_bad_commands_the_connection_ends(mux):
    client = mux.client()
    client.send(b"".join(b"x%d NONSENSE\r\n" % n for n in range(50)))
    answer = client.rest()
    assert 1 <= answer.count(b" BAD ") < 20 and b"* BYE" in answer


@pytest.mark.parametrize("stream", [
    b"a LOGIN " + b"(" * 100000, b"a " + b"x" * 100000, b"x" * 200000, b"a LOGIN " + b"{1+}\r\nx " * 50000,
    b"a LOGIN {100000+}\r\n" + b"x" * 100000, b"a LOGIN {4294967296+}\r\n", b"a LOGIN {70000}\r\n",
    b'a ID ("x" "' + b"y" * 100000, b"a AUTHENTICATE PLAIN " + b"A" * 100000, b"a NOOP\r\n" * 20000],
    ids=["parentheses", "long-word", "no-line", "many-literals", "long-literal", "huge-literal",
         "sync-literal", "long-id", "long-response", "many-noops"])
def test_S11_S12_what_a_stranger_sends_is_bounded(mux, mail1, stream):
    before = mux.rss_kib()
    clients = []
    for _ in range(20):
        client = mux.client()
        try:
            client.sock.settimeout(2)
            client.send(stream)
        except OSError:
            pass
        clients.append(client)
    with mux.client("u1", mail1.users["u1"]) as other:
        other.cmd("NOOP").ok()
    # 64 KiB before sign-in at most, whatever was sent: twenty strangers cost little.
    assert mux.rss_kib() - before < at_most(16 << 10)
    for client in clients:
        client.kill()


def test_preauth_timeout_ends_a_silent_client(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, limits={"preauth_timeout": "1s"})

    def in_time():
        with contextlib.suppress(Closed, ConnectionError):
            return proxy.client("u1", mail1.users["u1"])

    # On a slow machine a second may not be enough for the first time.
    with wait_for(in_time, "signed in within the time") as signed_in:
        # He who came later has been ended: so the time of the first one is over, too.
        rest = proxy.client().rest()
        assert rest == b"" or rest.startswith(b"* BYE"), rest
        signed_in.cmd("NOOP").ok()


def test_clients_limit(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, limits={"clients": 3})
    clients = [proxy.client() for _ in range(3)]
    extra = Client(proxy.address(), greet=False)
    assert not extra.rest().startswith(b"* OK")
    clients[0].logout()

    def welcome():
        with Client(proxy.address(), greet=False) as client:
            try:
                return client.response().startswith(b"* OK")
            except (AssertionError, OSError):
                return False

    wait_for(welcome, "a place is free again")


def test_clients_per_ip_limit(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, limits={"clients_per_ip": 2})
    clients = [proxy.client(source=("127.0.0.1", 0)) for _ in range(2)]
    assert not Client(proxy.address(), greet=False).rest().startswith(b"* OK")
    with proxy.client(source=("127.0.0.2", 0)) as other:
        other.cmd("NOOP").ok()
    clients[0].cmd("NOOP").ok()


def test_sessions_per_user_limit(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, limits={"sessions_per_user": 2})
    one, two = (proxy.client("u1", mail1.users["u1"]) for _ in range(2))
    with proxy.client() as three:
        three.login("u1", mail1.users["u1"]).no("LIMIT")
        three.login("u2", mail1.users["u2"]).ok()
    one.logout()
    two.logout()

    def again():
        with proxy.client() as client:
            # The proxy may not have seen yet that the two are gone.
            return client.login("u1", mail1.users["u1"]).status == "OK"

    wait_for(again, "there is room again")


def test_auth_delay_slows_down_wrong_passwords_and_nothing_else(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, limits={"auth_delay": "2s"})

    def seconds(password):
        with proxy.client() as client:
            start = time.monotonic()
            status = client.login("u1", password).status
            return status, time.monotonic() - start

    status, took = seconds("wrong")
    assert status == "NO" and took > 1.9

    def at_once():
        status, took = seconds(mail1.users["u1"])
        assert status == "OK"
        return took < 1.9

    # A machine may be slow once; the delay would be there each time.
    wait_for(at_once, "a sign-in without a delay")


def test_S10_one_clients_malformed_sign_ins_fail_nobody_elses(mux, mail1):
    stop, failures = threading.Event(), []

    def torment():
        while not stop.is_set():
            try:
                with Client(mux.address()) as client:
                    for stream in (b"a AUTHENTICATE PLAIN !!!!\r\n", b"b AUTHENTICATE LOGIN\r\n*\r\n",
                                   b"c LOGIN {3}\r\n", b"\0\0\0\r\n"):
                        client.send(stream)
                    client.pending(0.01)
            except (OSError, AssertionError):
                pass

    threads = [threading.Thread(target=torment) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(60):
            with mux.client() as client:
                if client.login("u1", mail1.users["u1"]).status != "OK":
                    failures.append(client.log)
                client.logout()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []


@pytest.mark.parametrize("user", [b"%n%s%x", b"u1%n", b"' OR '1'='1", b"*)(uid=*", b"x" * 4000, b"\xff\xfe",
                                  b"u1\r\nb NOOP", b"../../etc/passwd", b"u1 "])
def test_S6_S13_hostile_names_are_only_names(mux, mail1, user):
    with mux.client() as client:
        client.send(b"a LOGIN {%d+}\r\n%s x\r\n" % (len(user), user))
        assert client.until("a").status in ("NO", "BAD")
        client.login("u1", mail1.users["u1"]).ok()
    assert mux.process.poll() is None


def test_a_client_that_sends_a_byte_at_a_time(mux, mail1):
    with mux.client() as client:
        for byte in b'a LOGIN u1 "%s"\r\nb NOOP\r\n' % mail1.users["u1"].encode():
            client.send(bytes([byte]))
        client.until("a").ok()
        client.until("b").ok()


def test_no_credential_is_told_to_the_server_before_it_is_complete(make_proxy):
    with Fake(friendly) as server:
        proxy = make_proxy({"fake": server.where()})
        with proxy.client() as client:
            client.send(b"a LOGIN u1 {100}\r\n")
            client.challenge()
            client.send(b"only half of it")
            client.kill()
        with proxy.client("u1", "whole") as client:
            client.cmd("NOOP").ok()
        assert b"only half" not in server.received()
