"""Certificates of clients, and EXTERNAL by them."""

import ssl

import pytest

from lib import accounts, certs, exchange, process
from lib.imap import Closed
from lib.cyrus import Cyrus
from lib.master import MASTER, MASTER_WORD, backend, write


@pytest.fixture(scope="module")
def people(ca, private_folder):
    """A CA of its own for clients, and an impostor of it with the same name."""
    mine = certs.Authority(f"{private_folder}/people", "People")
    other = certs.Authority(f"{private_folder}/impostors", "People")
    return mine, other


def context(ca, pair=None, maximum=None):
    made = ca.client_context(maximum=maximum)
    if pair:
        made.load_cert_chain(*pair)
    return made


@pytest.fixture
def certified(make_proxy, master_mail, private_folder, certificate, people):
    def make(auth="optional", user="cn", mechanisms=("PLAIN", "EXTERNAL"), kind="tls", **options):
        return make_proxy({"mail1": backend(master_mail, private_folder)}, kinds=(kind,),
                          certificate=certificate,
                          listeners={kind: {"mechanisms": list(mechanisms)}},
                          tls={"client_ca": people[0].ca, "client_auth": auth,
                               "client_user": user, **options})
    return make


def external(client, authzid=None):
    return client.cmd("AUTHENTICATE EXTERNAL " + (exchange.b64(authzid) if authzid else "="))


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_external(certified, master_mail, ca, people, maximum):
    proxy = certified()
    pair = people[0].issue("u1", client=True)
    master_mail.fill("u1", 3)
    mark = master_mail.mark()
    for authzid in (None, "u1", "U1"):
        with proxy.client(tls=context(ca, pair, maximum)) as client:
            assert b"AUTH=EXTERNAL" in client.greeting
            external(client, authzid).ok()
            assert b"3 EXISTS" in client.cmd("EXAMINE INBOX").ok().raw
            client.logout()
    with proxy.client(tls=context(ca, pair, maximum)) as client:
        exchange.run(client, "EXTERNAL", lambda _: b"\r\n").ok()
    assert set(master_mail.signed_in(mark)) == {"u1"}
    for authzid in ("u2", "u1x", "\xff", "u1,u2"):
        with proxy.client(tls=context(ca, pair, maximum)) as client:
            assert external(client, authzid).status in ("NO", "BAD")
            assert client.cmd("AUTHENTICATE EXTERNAL !!").status in ("NO", "BAD")
            assert client.cmd("AUTHENTICATE EXTERNAL " + exchange.b64("u1\0u2")).status in ("NO", "BAD")
            client.login("u2", master_mail.users["u2"]).ok()
    sign_ins = proxy.events(msg="sign-in", mechanism="EXTERNAL")
    assert {event["user"] for event in sign_ins} <= {"u1", "U1"}


def test_without_a_certificate(certified, master_mail, ca):
    proxy = certified()
    with proxy.client(tls=context(ca)) as client:
        assert b"AUTH=PLAIN" in client.greeting and b"EXTERNAL" not in client.greeting
        external(client).no()
        external(client, "u1").no()
        client.login("u1", master_mail.users["u1"]).ok()
    proxy = certified(auth="require")
    with pytest.raises((ssl.SSLError, ConnectionError, Closed)):
        with proxy.client(tls=context(ca)) as client:
            client.cmd("NOOP")


def test_certificates_that_prove_nothing(certified, ca, people):
    """Of another authority with the same name, expired, made for a server: no connection at all."""
    proxy = certified()
    impostor = people[1].issue("u1", client=True)
    expired = people[0].issue("u1-expired", expired=True, client=True)
    server = people[0].issue("u1-server", client=False)
    for pair in (impostor, expired, server):
        for maximum in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with pytest.raises((ssl.SSLError, ConnectionError, Closed)):
                with proxy.client(tls=context(ca, pair, maximum)) as client:
                    client.cmd("NOOP")


def test_other_fields(certified, master_mail, ca, people):
    pair = people[0].issue("somebody", names=("u3", "u4"), client=True)
    proxy = certified(user="dns")
    with proxy.client(tls=context(ca, pair)) as client:
        # Two users in it: he has to say which.
        external(client).no("AUTHENTICATIONFAILED")
        external(client, "somebody").no("AUTHENTICATIONFAILED")
        external(client, "u4").ok()
    one = people[0].issue("somebody", names=("u3",), client=True)
    with proxy.client(tls=context(ca, one)) as client:
        external(client).ok()
    proxy = certified(user="email")
    with proxy.client(tls=context(ca, one)) as client:
        assert b"EXTERNAL" not in client.greeting
        external(client, "u3").no()


def test_after_starttls(certified, ca, people):
    proxy = certified(kind="starttls")
    pair = people[0].issue("u1", client=True)
    with proxy.client() as client:
        assert b"EXTERNAL" not in client.greeting
        external(client).no()
        client.starttls(context(ca, pair))
        assert b"AUTH=EXTERNAL" in client.cmd("CAPABILITY").ok().raw
        external(client).ok()


def resume(proxy, context_, session=None, name="localhost"):
    """A TLS session, continued from another one; whether that was so."""
    import socket
    raw = socket.create_connection(proxy.address("tls"), process.SOON)
    with context_.wrap_socket(raw, server_hostname=name, session=session) as sock:
        greeting = sock.recv(4096)
        sock.sendall(b"a LOGOUT\r\n")
        while sock.recv(4096):
            pass
        return sock.session, sock.session_reused, greeting


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_resumption_does_not_skip_the_certificate(certified, ca, people, private_folder,
                                                  certificate, maximum):
    """S16: a ticket of a proxy (or of the time before a reload) that asks for nothing opens nothing where
    a certificate is asked for; one that was issued with a certificate opens for its owner only what it
    did before."""
    key = write(private_folder, "tickets", "ab" * 80 + "\n")
    lax = certified(auth="none", mechanisms=("PLAIN",), ticket_key_file=key)
    optional = certified(auth="optional", ticket_key_file=key)
    strict = certified(auth="require", ticket_key_file=key)
    stranger = context(ca, maximum=maximum)
    ticket, _, _ = resume(lax, stranger)
    assert resume(lax, stranger, ticket)[1]
    other, _, greeting = resume(optional, stranger, ticket)
    assert b"EXTERNAL" not in greeting
    for session in (ticket, other):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _, _, greeting = resume(strict, stranger, session)
            assert not greeting, greeting
            raise ConnectionError
    # The owner of a certificate: his ticket goes on being his.
    owner = context(ca, people[0].issue("u1", client=True), maximum)
    ticket, _, greeting = resume(strict, owner)
    assert b"EXTERNAL" in greeting
    _, was_resumed, greeting = resume(strict, owner, ticket)
    assert was_resumed and b"EXTERNAL" in greeting
    # Another authority is another matter: after a reload the ticket is worth nothing.
    strict.reload(tls={"client_ca": people[1].ca})
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _, _, greeting = resume(strict, owner, ticket)
        assert not greeting, greeting
        raise ConnectionError
    assert certificate


def test_a_ticket_of_one_name_at_another(certified, ca, people, private_folder):
    """S16 between certificates chosen by SNI: they ask alike, and a ticket tells no lie."""
    other = ca.issue("other", names=("other.example",))
    proxy = certified(auth="require", names=[
        {"name": "other.example", "certificate": other[0], "key": other[1]}])
    owner = context(ca, people[0].issue("u1", client=True))
    ticket, _, _ = resume(proxy, owner)
    stranger = context(ca)
    for name in ("localhost", "other.example"):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _, _, greeting = resume(proxy, stranger, name=name)
            assert not greeting, greeting
            raise ConnectionError
    assert b"EXTERNAL" in resume(proxy, owner, ticket)[2]
    assert private_folder


def test_before_cyrus(make_proxy, ca, certificate, people, private_folder):
    """A server that asks nobody for a certificate, and knows no EXTERNAL."""
    users = {**accounts.PLAIN, MASTER: MASTER_WORD}
    cyrus = Cyrus(*certificate, users=users, masters=MASTER).start()
    try:
        proxy = make_proxy({"mail1": backend(cyrus, private_folder)}, kinds=("tls",),
                           certificate=certificate,
                           listeners={"tls": {"mechanisms": ["EXTERNAL"]}},
                           tls={"client_ca": people[0].ca, "client_auth": "require"})
        with proxy.client(tls=context(ca, people[0].issue("u1", client=True))) as client:
            client.login("u1", cyrus.users["u1"]).no()
            external(client).ok()
            client.cmd('LIST "" *').ok()
            client.logout()
        assert {user for user, _ in cyrus.asked} == {MASTER}
    finally:
        cyrus.remove()
