"""The PROXY header toward servers, and what it means for the pool: whose address a kept connection shows."""

import contextlib
import re
import struct

import pytest

from lib import process
from lib.dovecot import Dovecot
from lib.fake import Fake, serve, sign_in
from lib.haproxy import HAProxy
from lib.imap import Client
from lib.process import wait_for
from lib.proxy import command, render

SECRET = "a password"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

LISTENERS = """
haproxy_trusted_networks = 127.0.0.0/8
haproxy_timeout = 1 mins
service imap-login {{
  inet_listener imap_haproxy {{
    port = {plain}
    haproxy = yes
  }}
  inet_listener imaps_haproxy {{
    port = {tls}
    haproxy = yes
    ssl = yes
  }}
}}
"""


@pytest.fixture(scope="module")
def behind(certificate):
    """A Dovecot with listeners that want the header; proxied.ports tells where."""
    ports = {"plain": process.free_port(), "tls": process.free_port()}
    server = Dovecot(*certificate, extra=LISTENERS.format(**ports)).start()
    server.ports = ports
    yield server
    complaints = re.findall("haproxy.*", server.text())
    server.remove()
    assert not complaints, complaints


def backend(server, ca, version, tls="none"):
    return {"address": f"127.0.0.1:{server.ports['tls' if tls == 'implicit' else 'plain']}", "tls": tls,
            "ca": ca.ca, "server_name": "localhost", "send_proxy": version, "send_id": False}


@pytest.mark.threads
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("tls_to_server", ["none", "starttls", "implicit"])
@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_dovecot_shows_the_client(make_proxy, behind, ca, certificate, tls, version, tls_to_server, kind):
    proxy = make_proxy({"mail": backend(behind, ca, version, tls_to_server)}, kinds=(kind,),
                       certificate=certificate)
    mark = behind.mark()
    with proxy.client(source=("127.0.0.77", 0), tls=tls if kind == "tls" else None) as client:
        client.login("u1", behind.users["u1"]).ok()
        port = client.sock.getsockname()[1]
        client.cmd("SELECT INBOX").ok()
        client.logout()
    line, = behind.logins("u1", mark)
    assert f"rip=127.0.0.77 rport={port}" in line.replace(",", "")
    assert f"lport={proxy.ports[kind]}" in line


@pytest.mark.parametrize("version", [1, 2])
def test_ipv6_and_unix_clients(make_proxy, behind, ca, version):
    port = process.free_port()
    proxy = make_proxy({"mail": backend(behind, ca, version)}, kinds=("plain", "unix"),
                       listeners={"plain": {"address": f"[::1]:{port}"}})
    mark = behind.mark()
    with Client(("::1", port)) as client:
        client.login("u1", behind.users["u1"]).ok()
    with proxy.client(kind="unix") as client:
        client.login("u2", behind.users["u2"]).ok()
    assert "rip=::1," in behind.logins("u1", mark)[0]
    # It has no address: the server shows ours.
    assert "rip=127.0.0.1," in behind.logins("u2", mark)[0]


def test_the_whole_way_through_haproxy(make_proxy, behind, ca):
    proxy = make_proxy({"mail": backend(behind, ca, 2)},
                       listeners={"plain": {"proxy_protocol": True, "trusted": ["127.0.0.1"]}})
    mark = behind.mark()
    with HAProxy(proxy.ports["plain"], "send-proxy-v2") as front:
        with Client(front.address(), source=("127.0.0.9", 0)) as client:
            client.login("u3", behind.users["u3"]).ok()
            client.logout()
        line, = behind.logins("u3", mark)
        assert "rip=127.0.0.9," in line and f"lport={front.port}" in line


def test_imapmux_before_imapmux(make_proxy, behind, ca, certificate, tls):
    inner = make_proxy({"mail": backend(behind, ca, 1)},
                       listeners={"plain": {"proxy_protocol": True, "trusted": ["127.0.0.1"]}})
    outer = make_proxy({"inner": {"address": f"127.0.0.1:{inner.ports['plain']}", "send_proxy": 2}},
                       kinds=("tls",), certificate=certificate)
    mark = behind.mark()
    with outer.client(source=("127.0.0.78", 0), tls=tls) as client:
        client.login("u4", behind.users["u4"]).ok()
        client.logout()
    assert "rip=127.0.0.78," in behind.logins("u4", mark)[0]
    assert inner.wait_event(msg="sign-in")["client"] == "127.0.0.78"
    assert not inner.events(msg="client refused")


# What the header says.

def header(peer):
    """Takes the header off a scripted server's connection."""
    fixed = peer.exactly(16)
    if not fixed.startswith(SIGNATURE):
        return fixed + peer.line()
    return fixed + peer.exactly(struct.unpack(">H", fixed[14:])[0])


def extensions(head):
    found, rest = {}, head[16 + (12 if head[13] == 0x11 else 0):]
    while rest:
        kind, length = struct.unpack(">BH", rest[:3])
        found[kind] = rest[3:3 + length]
        rest = rest[3 + length:]
    return found


@contextlib.contextmanager
def scripted():
    heads = []

    def script(peer):
        heads.append(header(peer))
        sign_in(peer)
        serve(peer)

    with Fake(script) as server:
        server.heads = heads
        yield server


def test_extensions_tell_tls_and_name(make_proxy, ca, certificate, tls):
    with scripted() as server:
        proxy = make_proxy({"fake": server.where(send_proxy=2)}, kinds=("tls", "starttls", "plain"),
                           certificate=certificate)
        for kind in ("tls", "starttls", "plain"):
            with proxy.client(kind=kind, tls=tls if kind == "tls" else None) as client:
                if kind == "starttls":
                    client.starttls(tls)
                client.login(f"u-{kind}", SECRET).ok()
        proxy.wait_event(count=3, msg="sign-in")
        heads = {event["user"]: head for event, head
                 in zip(proxy.events(msg="sign-in"), [h for h in server.heads if h[12] == 0x21])}
        for kind in ("tls", "starttls"):
            found = extensions(heads[f"u-{kind}"])
            assert found[2] == b"localhost"
            assert found[0x20] == b"\1\0\0\0\1" + b"\x21\0\7TLSv1.3"
        assert not extensions(heads["u-plain"])


def test_what_a_balancer_told_is_told_on(make_proxy):
    """It has ended TLS; the server hears of it all the same."""
    body = (b"\xc0\0\2\7\xc6\x33\x64\x09\xd6\xe4\x03\xe1" b"\2\0\x0fmx.example.test"
            b"\x20\0\x0f\1\0\0\0\1\x21\0\7TLSv1.2")
    front = SIGNATURE + b"\x21\x11" + struct.pack(">H", len(body)) + body
    with scripted() as server:
        proxy = make_proxy({"fake": server.where(send_proxy=2)},
                           listeners={"plain": {"proxy_protocol": True, "trusted": ["127.0.0.1"]}})
        with proxy.client(header=front) as client:
            client.login("u1", SECRET).ok()
        head = next(h for h in server.heads if h[12] == 0x21)
        assert head[16:28] == body[:12]
        assert extensions(head) == {2: b"mx.example.test", 0x20: b"\1\0\0\0\1\x21\0\7TLSv1.2"}


@pytest.mark.parametrize("version", [1, 2])
def test_header_comes_alone_and_first(make_proxy, version):
    """The server has sent nothing yet, and what follows waits for its greeting."""
    with scripted() as server:
        proxy = make_proxy({"fake": server.where(send_proxy=version)})
        with proxy.client("u1", SECRET) as client:
            name = client.sock.getsockname()
        wanted = (f"PROXY TCP4 127.0.0.1 127.0.0.1 {name[1]} {proxy.ports['plain']}\r\n".encode()
                  if version == 1 else b"\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\1")
        assert [head for head in server.heads if wanted in head]
        # A connection that is for nobody says so, too.
        others = [head for head in server.heads if wanted not in head]
        assert set(others) <= {b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\0\0\0"}


# The pool.

def visit(proxy, server, user, source):
    proxy.session(user, server.users[user], source=(source, 0))


@pytest.fixture(scope="module")
def trusting(certificate):
    server = Dovecot(*certificate, trusted="127.0.0.0/8").start()
    yield server
    server.remove()


def addresses(lines):
    return [re.search(r"rip=([^,]*),", line)[1] for line in lines]


@pytest.mark.parametrize("how", ["proxy", "id"])
def test_a_kept_connection_shows_the_first_client(make_proxy, behind, trusting, ca, how):
    server = behind if how == "proxy" else trusting
    proxy = make_proxy({"mail": backend(behind, ca, 2) if how == "proxy" else trusting})
    mark = server.mark()
    for source in ("127.0.0.11", "127.0.0.12"):
        visit(proxy, server, "u5", source)
    assert addresses(server.logins("u5", mark)) == ["127.0.0.11"]
    assert [e["connection"] for e in proxy.events(msg="sign-in")] == ["new", "pooled"]


@pytest.mark.parametrize("how", ["proxy", "id"])
def test_addresses_are_kept_apart(make_proxy, behind, trusting, ca, how):
    server = behind if how == "proxy" else trusting
    proxy = make_proxy({"mail": backend(behind, ca, 2) if how == "proxy" else trusting},
                       pool={"separate_addresses": True})
    mark = server.mark()
    for source in ("127.0.0.11", "127.0.0.12", "127.0.0.11", "127.0.0.12", "127.0.0.11"):
        visit(proxy, server, "u6", source)
    assert addresses(server.logins("u6", mark)) == ["127.0.0.11", "127.0.0.12"]
    assert [e["connection"] for e in proxy.events(msg="sign-in")] == ["new", "new"] + 3 * ["pooled"]
    # Also a session that gave its connection back gets one of its own address again.
    before = len(proxy.events(msg="parked"))
    with proxy.client("u6", server.users["u6"], source=("127.0.0.13", 0)) as client:
        wait_for(lambda: len(proxy.events(msg="parked")) > before, "given back")
        client.cmd("SELECT INBOX").ok()
        client.logout()
    assert addresses(server.logins("u6", mark))[2:] == ["127.0.0.13"]
    # A wrong password is wrong from everywhere.
    with proxy.client(source=("127.0.0.11", 0)) as client:
        client.login("u6", "wrong").no("AUTHENTICATIONFAILED")


def test_no_spares_and_check_says_so(make_proxy, tmp_path):
    with scripted() as server, Fake(lambda peer: (sign_in(peer), serve(peer))) as other:
        settings = {"backends": [server.where(name="one", send_proxy=1), other.where(name="two")],
                    "users": [{"match": "*", "backend": "one"}], "pool": {"spares": 2},
                    "listeners": [{"address": "127.0.0.1:10143"}]}
        conf = tmp_path / "imapmux.conf"
        conf.write_text(render(settings))
        status, out, err = command("check", "-c", str(conf))
        assert status == 0 and out == "ok\n"
        note, = err.splitlines()
        assert note.startswith("note: ") and 'no spares for "one"' in note
        proxy = make_proxy({"one": server.where(send_proxy=1), "two": other.where()},
                           pool={"spares": 2})
        other.wait_connections(2)
        with proxy.client("u1", SECRET) as client:
            client.cmd("NOOP").ok()
        real = [head for head in server.heads if b"TCP4" in head]
        assert len(real) == 1 and set(server.heads) - set(real) <= {b"PROXY UNKNOWN\r\n"}


def test_a_server_that_expects_none(make_proxy, mail1):
    """It answers the header as it would a strange command: the sign-in fails, and the client is told."""
    proxy = make_proxy({"mail": {**mail1.where(), "send_proxy": 1}})
    with proxy.client() as client:
        client.login("u1", mail1.users["u1"]).no("UNAVAILABLE")
        client.cmd("NOOP").ok()
