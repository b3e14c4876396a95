"""The PROXY protocol on listeners: whose header is taken, that it is read to its last byte and no byte
further, and that the address in it is the client's everywhere (SECURITY.md S3, S20)."""

import contextlib
import re
import socket
import struct

import pytest

from lib.haproxy import HAProxy
from lib.imap import Client, Closed
from lib.process import wait_for
from lib.proxy import Proxy

KINDS = ("plain", "starttls", "tls", "unix")
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
OPEN = {"proxy_protocol": True, "trusted": ["127.0.0.1", "::1", "unix"]}


def v1(source="192.0.2.7", destination="198.51.100.9", kind="TCP4"):
    return f"PROXY {kind} {source} {destination} 55012 993\r\n".encode()


def v2(source="192.0.2.7", destination="198.51.100.9", tlvs=b"", command=0x21):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    body = (socket.inet_pton(family, source) + socket.inet_pton(family, destination)
            + struct.pack(">HH", 55012, 993) + tlvs)
    kind = 0x21 if family == socket.AF_INET6 else 0x11
    return SIGNATURE + struct.pack(">BBH", command, kind, len(body)) + body


def tlv(kind, value):
    return struct.pack(">BH", kind, len(value)) + value


EXTENSIONS = (tlv(1, b"imap") + tlv(2, b"mail.example.org") + tlv(4, bytes(9)) + tlv(5, b"front-17")
              + tlv(0x20, b"\1\0\0\0\1" + tlv(0x21, b"TLSv1.3")) + tlv(0xee, b"whatever"))


@pytest.fixture(scope="module", name="mux")
def shared_mux(certificate, mail1):
    proxy = Proxy({"mail": mail1}, kinds=KINDS, certificate=certificate,
                  listeners={kind: OPEN for kind in KINDS}).start()
    yield proxy
    try:
        proxy.stop()
    finally:
        print("\n".join(proxy.lines[-60:]))
        proxy.remove()


def sign_in(client, server, kind="plain", tls=None):
    if kind == "starttls":
        client.starttls(tls)
    client.login("u1", server.users["u1"]).ok()
    client.cmd("SELECT INBOX").ok()
    client.logout()


def last(mux, count, **wanted):
    return mux.wait_event(count=count, **wanted)


@pytest.mark.threads
@pytest.mark.parametrize("header", [
    v1(), v1("2001:db8::7", "2001:db8::1", "TCP6"), v2(), v2("2001:db8::7", "2001:db8::1"),
    v2(tlvs=EXTENSIONS),
], ids=["v1", "v1-ipv6", "v2", "v2-ipv6", "v2-tlvs"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_address_of_the_header_is_the_clients(mux, mail1, tls, kind, header):
    before = len(mux.events(msg="sign-in"))
    with mux.client(kind=kind, header=header, tls=tls if kind == "tls" else None) as client:
        sign_in(client, mail1, kind, tls)
    event = last(mux, before + 1, msg="sign-in")
    wanted = "2001:db8::7" if b"TCP6" in header or header[13:14] == b"!" else "192.0.2.7"
    assert event["client"] == wanted
    assert event["via"] == ("unix" if kind == "unix" else "127.0.0.1")
    assert (event["tls"] == "none") == (kind in ("plain", "unix"))
    if EXTENSIONS in header:
        assert event["front_tls"] == "TLSv1.3" and event["front_session"] == "front-17"
    else:
        assert "front_tls" not in event and "front_session" not in event


@pytest.mark.parametrize("header", [v1(), v2(tlvs=EXTENSIONS)], ids=["v1", "v2"])
@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_not_a_byte_behind_the_header_is_lost(mux, mail1, tls, kind, header):
    """Header byte by byte, the first bytes of the ClientHello or of a command glued to its last one."""
    with socket.create_connection(mux.address(kind)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(header) - 1):
            sock.sendall(header[at:at + 1])
        sock.send(header[-1:], socket.MSG_MORE)
        if kind == "tls":
            sock = tls.wrap_socket(sock, server_hostname="localhost")
        stream = sock.makefile("rwb")
        stream.write(b'a LOGIN u1 "' + mail1.users["u1"].encode() + b'"\r\nb NOOP\r\nc LOGOUT\r\n')
        stream.flush()
        text = stream.read()
    assert re.search(rb"^\* OK .*\r\n(.*\r\n)*a OK .*\r\n(.*\r\n)*b OK .*\r\n(.*\r\n)*c OK ", text), text


@pytest.mark.parametrize("kind", ["starttls", "tls", "plain"])
def test_header_and_first_bytes_in_one_segment(mux, mail1, tls, kind):
    before = len(mux.events(msg="sign-in"))
    if kind == "tls":
        client = Client(mux.address(kind), tls=tls, header=v2())  # corked: one segment
        sign_in(client, mail1)
    else:
        client = Client(mux.address(kind), header=v2() + b"x CAPABILITY\r\n")
        client.until("x").ok()
        sign_in(client, mail1, kind, tls)
    assert last(mux, before + 1, msg="sign-in")["client"] == "192.0.2.7"


@pytest.mark.parametrize("header", [
    b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN 192.0.2.7 192.0.2.8 1 2\r\n", SIGNATURE + b"\x20\0\0\0",
    v2(command=0x20), SIGNATURE + b"\x21\0\0\0",
], ids=["unknown", "unknown-addresses", "local", "local-addresses", "unspec"])
def test_health_checks_keep_their_own_address(mux, mail1, header):
    before = len(mux.events(msg="sign-in"))
    with mux.client(header=header) as client:
        sign_in(client, mail1)
    event = last(mux, before + 1, msg="sign-in")
    assert event["client"] == "127.0.0.1" and "via" not in event


BROKEN = {
    "none": b"a001 LOGIN u1 secret\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "v1-cut": b"PROXY TCP4 192.0.2.7\r\n",
    "v1-long": b"PROXY UNKNOWN " + b"x" * 100,
    "v1-address": v1("192.0.2.777"),
    "v2-long": SIGNATURE + b"\x21\x11\xff\xff",
    "v2-version": SIGNATURE + b"\x31\x11\0\0",
    "v2-tlv": v2(tlvs=b"\x01\x00\x09imap"),
    "v2-crc": v2(tlvs=tlv(3, b"\0\0\0\0")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_header_closes(make_proxy, mail1, name):
    proxy = make_proxy({"mail": mail1}, listeners={"plain": OPEN})
    with proxy.client(header=v1()) as other:
        with proxy.client(header=BROKEN[name], greet=False) as client:
            with contextlib.suppress(ConnectionError):
                client.closed()
        event = proxy.wait_event(msg="client refused")
        assert event["reason"] == "proxy-header" and event["client"] == "127.0.0.1"
        assert event["detail"]
        sign_in(other, mail1)


def test_header_that_is_cut_off_by_the_end(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, listeners={"plain": OPEN})
    with proxy.client(header=v2()[:20], greet=False) as client:
        client.shut()
        client.closed()
    assert proxy.wait_event(msg="client refused")["detail"] == "cut off"
    # A check of the open port says nothing, and is not told of.
    with proxy.client(greet=False) as client:
        client.shut()
        client.closed()
    with proxy.client(header=v1()) as client:
        sign_in(client, mail1)
    proxy.wait_event(msg="sign-in")  # the lines before it have come
    assert len(proxy.events(msg="client refused")) == 1


def test_strangers_are_closed_and_told_of_once(make_proxy, mail1):
    """S20: whoever is not trusted cannot say who he is, nor fill the log."""
    proxy = make_proxy({"mail": mail1}, workers=1,
                       listeners={"plain": {"proxy_protocol": True, "trusted": ["127.0.0.7"]}})
    for _ in range(20):
        with proxy.client(header=v1(), greet=False) as client:
            with contextlib.suppress(ConnectionError):
                client.closed()
    with proxy.client(header=v1(), source=("127.0.0.7", 0)) as client:
        sign_in(client, mail1)
    proxy.wait_event(msg="sign-in")
    refused = proxy.events(msg="client refused")
    assert len(refused) == 1 and refused[0]["reason"] == "proxy-untrusted"
    assert not proxy.events(client="192.0.2.7", via="127.0.0.1")
    # Many of them together are not told of one by one, either.
    for n in range(100):
        with proxy.client(greet=False, source=(f"127.0.1.{n + 1}", 0)) as client:
            with contextlib.suppress(ConnectionError):
                client.closed()
    assert len(proxy.events(msg="client refused")) <= 30


def test_limits_count_the_address_of_the_header(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, listeners={"plain": OPEN}, limits={"clients_per_ip": 2})
    with contextlib.ExitStack() as stack:
        for name in ("192.0.2.7", "192.0.2.7", "192.0.2.8", "192.0.2.8", "192.0.2.9"):
            stack.enter_context(proxy.client(header=v1(name)))
        with proxy.client(header=v1("192.0.2.7")) as client:
            assert client.greeting.startswith(b"* BYE [LIMIT]"), client.greeting
        # The balancer's own checks are no clients of one address.
        for _ in range(5):
            stack.enter_context(proxy.client(header=SIGNATURE + b"\x20\0\0\0"))
    wait_for(lambda: proxy.events(client="192.0.2.7", reason="limit-per-ip"), "a line")
    # All of them have left: there is room again.
    def works():
        with contextlib.suppress(Closed, ConnectionError):
            with proxy.client(header=v1("192.0.2.7")) as client:
                return client.greeting.startswith(b"* OK")
    wait_for(works, "room for the address")


def test_limit_of_clients_counts_those_without_a_header(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, listeners={"plain": OPEN}, limits={"clients": 3})
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(proxy.client(greet=False)) for _ in range(3)]
        def refused():
            with contextlib.suppress(ConnectionError, Closed):
                with proxy.client(header=v1()):
                    return False
            return True
        wait_for(refused, "the fourth is refused")
        silent.pop().close()
        wait_for(lambda: not refused(), "and another one has room")


@pytest.mark.threads
def test_end_does_not_wait_for_headers(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, listeners={"plain": OPEN}, workers=2)
    with proxy.client(greet=False) as silent, proxy.client(header=v2()[:17], greet=False) as half:
        with proxy.client(header=v1()) as client:
            sign_in(client, mail1)
        proxy.stop()
        for client in (silent, half):
            with contextlib.suppress(ConnectionError):
                client.closed()


@pytest.mark.threads
def test_address_is_carried_to_the_home_worker(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, listeners={"plain": OPEN}, workers=2)
    for n in range(1, 7):
        with proxy.client(header=v1(f"192.0.2.{n}")) as client:
            client.login(f"u{n}", mail1.users[f"u{n}"]).ok()
            client.logout()
    proxy.wait_event(msg="sign-in", count=6)
    seen = {event["user"]: event for event in proxy.events(msg="sign-in")}
    for n in range(1, 7):
        assert seen[f"u{n}"]["client"] == f"192.0.2.{n}" and seen[f"u{n}"]["via"] == "127.0.0.1"
    assert len({event["worker"] for event in seen.values()}) == 2


@pytest.mark.threads
@pytest.mark.parametrize("header", [b"", v1()[:9], v2(command=0x20), v2()],
                         ids=["nothing", "half", "local", "whole"])
def test_resets_at_the_door(make_proxy, mail1, header):
    """Whether the reset is seen before the header or behind it: the next client finds the door open."""
    proxy = make_proxy({"mail": mail1}, listeners={"plain": OPEN}, workers=2)
    for _ in range(50):
        with proxy.client(header=header, greet=False) as client:
            client.kill()
    with proxy.client(header=v1()) as client:
        sign_in(client, mail1)
    proxy.wait_event(msg="sign-in", client="192.0.2.7")
    proxy.stop()


@pytest.mark.parametrize("options", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn"])
@pytest.mark.parametrize("kind", ["plain", "tls", "starttls"])
def test_behind_a_real_haproxy(mux, mail1, tls, kind, options):
    before = len(mux.events(msg="sign-in"))
    with HAProxy(mux.ports[kind], options) as front:
        with Client(front.address(), tls=tls if kind == "tls" else None,
                    source=("127.0.0.9", 0)) as client:
            sign_in(client, mail1, kind, tls)
    event = last(mux, before + 1, msg="sign-in")
    assert event["client"] == "127.0.0.9" and event["via"] == "127.0.0.1"


def test_health_checks_of_a_real_haproxy(make_proxy, mail1):
    """Its checks send LOCAL, read the greeting and reset: nothing of that is worth a line of a log. (A check
    that resets before it has read may be gone before anybody saw it.)"""
    proxy = make_proxy({"mail": mail1}, listeners={"plain": OPEN})
    checks = ("check inter 50ms check-send-proxy send-proxy-v2\n"
              "  option tcp-check\n  tcp-check expect string OK")
    with HAProxy(proxy.ports["plain"], checks) as front:
        def checked():
            return len(proxy.events(msg="client end")) >= 3
        wait_for(checked, "three checks")
        with Client(front.address(), source=("127.0.0.9", 0)) as client:
            sign_in(client, mail1)
    ends = proxy.events(msg="client end")
    assert {event["level"] for event in ends} == {"debug"}
    assert {event["client"] for event in ends} == {"127.0.0.1"}
    assert not proxy.events(msg="client refused")
    assert proxy.wait_event(msg="sign-in")["client"] == "127.0.0.9"


def test_reload_turns_it_on(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1})
    with proxy.client("u1", mail1.users["u1"]) as before:
        rows = [{**proxy.settings["listeners"][0], **OPEN}]
        proxy.reload(listeners=rows)
        with proxy.client(header=v1()) as client:
            sign_in(client, mail1)
        before.cmd("NOOP").ok()
    proxy.wait_event(msg="sign-in", client="192.0.2.7")
