"""Listeners: each kind of transport and what may be said on it."""

import os
import socket
import ssl
import stat

import pytest

from lib import process
from lib.imap import Client, codes
from lib.proxy import Proxy

# Python warns of the old versions that are tried to be refused.
pytestmark = [pytest.mark.threads, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def mux(ca, certificate, mail1):
    """One proxy with every kind of listener and two certificates."""
    named = ca.issue("named", names=("mail.example.org",))
    wild = ca.issue("wild", names=("*.example.net",))
    proxy = Proxy({"mail": mail1}, kinds=("plain", "starttls", "tls", "unix"), certificate=certificate,
                  tls={"names": [
                      {"name": "mail.example.org", "certificate": named[0], "key": named[1]},
                      {"name": "*.example.net", "certificate": wild[0], "key": wild[1]}]}).start()
    yield proxy
    try:
        proxy.stop()
    finally:
        proxy.remove()


def use(client, server):
    client.login("u1", server.users["u1"]).ok()
    client.cmd("SELECT INBOX").ok()
    client.logout()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_implicit_tls(mux, mail1, ca, version):
    context = ca.client_context(minimum=version, maximum=version)
    client = mux.client(kind="tls", tls=context)
    assert client.sock.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
    assert not {"STARTTLS", "LOGINDISABLED"} & codes(client.greeting)
    use(client, mail1)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_starttls(mux, mail1, ca, version):
    client = mux.client(kind="starttls")
    before = codes(client.greeting)
    assert {"STARTTLS", "LOGINDISABLED"} <= before
    assert not [name for name in before if name.startswith("AUTH=")]
    client.starttls(ca.client_context(minimum=version, maximum=version))
    after = client.capabilities()
    assert not {"STARTTLS", "LOGINDISABLED"} & after and "AUTH=PLAIN" in after
    client.cmd("STARTTLS").bad()
    use(client, mail1)


def test_versions_below_1_2_are_refused(mux, ca):
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        context = ca.client_context(maximum=version)
        context.minimum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            mux.client(kind="tls", tls=context)


def test_min_version_1_3_refuses_1_2(make_proxy, mail1, certificate, ca):
    proxy = make_proxy({"mail": mail1}, kinds=("tls",), certificate=certificate,
                       tls={"min_version": "1.3"})
    with pytest.raises((ssl.SSLError, ConnectionError)):
        proxy.client(kind="tls", tls=ca.client_context(maximum=ssl.TLSVersion.TLSv1_2))
    use(proxy.client(kind="tls", tls=ca.client_context()), mail1)


def test_sign_in_in_clear_is_refused_where_tls_is_due(mux, mail1):
    mark = mail1.mark()
    with mux.client(kind="starttls") as client:
        client.login("u1", mail1.users["u1"]).no("PRIVACYREQUIRED")
        client.authenticate_plain("u1", mail1.users["u1"]).no("PRIVACYREQUIRED")
        client.cmd("AUTHENTICATE PLAIN").no("PRIVACYREQUIRED")
        client.cmd("AUTHENTICATE LOGIN").no("PRIVACYREQUIRED")
        client.cmd("NOOP").ok()
        client.logout()
    assert mail1.logins("u1", mark) == []


def test_plain_and_unix_listeners_take_a_sign_in_in_clear(mux, mail1):
    use(mux.client(kind="plain"), mail1)
    use(mux.client(kind="unix"), mail1)
    mode = stat.S_IMODE(os.stat(mux.ports["unix"]).st_mode)
    assert mode == 0o666


@pytest.mark.parametrize("name, label", [
    ("localhost", "localhost"), ("mail.example.org", "named"), ("a.example.net", "wild"),
    ("b.example.net", "wild"), ("MAIL.Example.ORG", "named")])
def test_certificate_is_chosen_by_sni(mux, ca, name, label):
    client = mux.client(kind="tls", tls=ca.client_context(), name=name)
    subject = dict(pair for row in client.sock.getpeercert()["subject"] for pair in row)
    assert subject["commonName"] == label
    client.logout()


def test_unknown_and_missing_sni_get_the_default_certificate(mux, ca):
    context = ca.client_context()
    context.check_hostname = False
    for name in ("other.example.com", "x.y.example.net", None):
        client = mux.client(kind="tls", tls=context, name=name)
        subject = dict(pair for row in client.sock.getpeercert()["subject"] for pair in row)
        assert subject["commonName"] == "localhost"
        client.logout()


def test_alpn_imap_is_chosen(mux, mail1, ca):
    for protocols in (["imap"], ["http/1.1", "imap"]):
        client = mux.client(kind="tls", tls=ca.client_context(alpn=protocols))
        assert client.sock.selected_alpn_protocol() == "imap"
        use(client, mail1)


def test_S17_another_alpn_is_refused_with_an_alert(mux, ca):
    for protocols in (["http/1.1"], ["h2", "http/1.1"], ["ftp"], ["IMAP"], ["imap2"]):
        with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
            mux.client(kind="tls", tls=ca.client_context(alpn=protocols))


def test_S17_an_http_request_ends_the_connection_and_is_not_echoed(mux, ca):
    client = mux.client(kind="tls", tls=ca.client_context())
    client.send(b"GET /<script>alert(1)</script> HTTP/1.1\r\nHost: mail.example.org\r\n"
                b"X-One: <script>\r\nX-Two: 2\r\nX-Three: 3\r\nContent-Length: 5\r\n\r\nevil!\r\n")
    assert b"script" not in client.rest()


def test_a_tls_session_resumes(mux, mail1, ca):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ca.client_context(minimum=version, maximum=version)

        def connect(session=None):
            sock = socket.create_connection(mux.address("tls"), process.SOON)
            wrapped = context.wrap_socket(sock, server_hostname="localhost", session=session)
            wrapped.recv(1000)  # the greeting; with it come TLS 1.3's tickets
            return wrapped

        first = connect()
        assert not first.session_reused
        session = first.session
        first.close()
        again = connect(session)
        assert again.session_reused, version
        again.close()


def test_S1_commands_behind_starttls_are_dropped_with_the_connection(mux, ca):
    """RFC 3501 and CVE-2011-0411: what came in clear is never answered under TLS."""
    client = mux.client(kind="starttls")
    client.send(b"a STARTTLS\r\nb NOOP\r\nc LOGIN u1 x\r\n")
    try:
        client.until("a")
        client.sock = ca.client_context().wrap_socket(client.sock, server_hostname="localhost")
        client._in.clear()
        assert client.pending(0.5) == b""
        reply = client.cmd("NOOP").ok()
        assert reply.untagged == []
    except (AssertionError, OSError) as error:
        assert b"b OK" not in bytes(client._in), error


def test_S1_the_handshake_may_not_begin_in_the_same_segment_as_a_command(mux):
    client = mux.client(kind="starttls")
    client.send(b"a STARTTLS\r\n" + b"\x16\x03\x01\x00\x05hello")
    assert b"b OK" not in client.rest()


def test_ipv4_and_ipv6_and_several_at_once(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, kinds=("plain", "plain6"), listeners={"plain6": {
        "address": f"[::1]:{process.free_port(socket.AF_INET6)}", "tls": "none"}})
    port = int(proxy.settings["listeners"][1]["address"].rsplit(":", 1)[1])
    use(Client(("::1", port)), mail1)
    use(proxy.client(), mail1)


def port_of_all():
    """One that was free for both families a moment ago."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as sock:
        return sock.getsockname()[1]


def both_families(port):
    for address in ("127.0.0.1", "::1"):
        with Client((address, port)) as client:
            assert client.greeting.startswith(b"* OK")
            client.logout()


@pytest.mark.parametrize("workers", [1, 4])
def test_the_address_of_all_takes_ipv4_clients_too(make_proxy, mail1, workers):
    port = port_of_all()
    proxy = make_proxy({"mail1": mail1}, workers=workers, listeners={"plain": {
        "address": f"[::]:{port}", "tls": "none", "insecure": True}},
        limits={"clients_per_ip": 1})
    both_families(port)
    for address in ("127.0.0.1", "::1"):
        # Known by the address as other listeners know it: in the log, in limits.
        with Client((address, port)) as client:
            client.login("u1", mail1.users["u1"]).ok()
            client.logout()
        assert proxy.wait_event(msg="session end", client=address)["listener"] == f"[::]:{port}"


def test_each_family_may_have_a_listener_of_its_own(make_proxy, mail1):
    port = port_of_all()
    proxy = make_proxy({"mail1": mail1}, kinds=("plain", "starttls"), listeners={
        "plain": {"address": f"[::]:{port}", "tls": "none", "insecure": True},
        "starttls": {"address": f"0.0.0.0:{port}", "tls": "none", "insecure": True}})
    both_families(port)
    with Client(("127.0.0.1", port)) as client:
        client.login("u1", mail1.users["u1"]).ok()
        client.logout()
    assert proxy.wait_event(msg="session end")["listener"] == f"0.0.0.0:{port}"


def test_garbage_instead_of_a_handshake_harms_nobody_else(mux, mail1, ca):
    with mux.client("u1", mail1.users["u1"]) as other:
        other.cmd("SELECT INBOX").ok()
        for garbage in (b"\0" * 100, b"a LOGIN u1 x\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 70000,
                        b"\x80\x2e\x01\x00\x02", b"\x15\x03\x01\x00\x02\x02\x00"):
            sock = socket.create_connection(mux.address("tls"), process.SOON)
            try:
                sock.sendall(garbage)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(4096):
                    pass
            except OSError:
                pass
            sock.close()
        other.cmd("NOOP").ok()
        other.logout()
    use(mux.client(kind="tls", tls=ca.client_context()), mail1)
