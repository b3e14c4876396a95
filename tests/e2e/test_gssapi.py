"""GSSAPI with a real KDC, ended at the proxy; the server is signed in to by a master user."""

import os

import pytest

gssapi = pytest.importorskip("gssapi")

from lib import exchange, process  # noqa: E402  (gssapi decides whether there is anything to test)
from lib.kdc import Kdc  # noqa: E402
from lib.master import backend  # noqa: E402
from lib.proxy import command, libconfig  # noqa: E402

PEOPLE = {"u1": "kerberos-of-u1", "u2": "kerberos-of-u2", "u1/admin": "kerberos-of-admin"}
NO_LAYER = b"\x01\0\0\0"


def check(folder, keytab, master="/dev/null"):
    """What `imapmux check` says of a keytab: (the file, status, errors)."""
    conf = os.path.join(folder, "gss.conf")
    with open(conf, "w", encoding="ascii") as file:
        file.write('listeners = ( { address = "127.0.0.1:1"; mechanisms = ( "GSSAPI" ); } );\n'
                   'backends = ( { name = "m"; address = "127.0.0.1:2"; master_user = "x";\n'
                   f'  master_password_file = {libconfig(master)}; }} );\n'
                   f'auth = {{ gssapi_keytab = {libconfig(keytab)}; }};\n')
    status, _, errors = command("check", "-c", conf)
    return conf, status, errors


@pytest.fixture(scope="module")
def kdc(private_folder):
    if "built without GSSAPI" in check(private_folder, "/dev/null")[2]:
        pytest.skip("built without GSSAPI")
    realm = Kdc()
    before = dict(os.environ)
    os.environ.update(realm.environment)
    try:
        realm.start()
        for name, password in PEOPLE.items():
            realm.add_user(name, password)
        realm.keytab = realm.add_service("imap/localhost")
        realm.web_keytab = realm.add_service("HTTP/localhost")
        yield realm
    finally:
        realm.remove()
        for name in realm.environment:
            os.environ.pop(name, None)
        os.environ.update(before)


@pytest.fixture
def mux(make_proxy, master_mail, private_folder, kdc):
    def make(form="authzid", mechanisms=("PLAIN", "GSSAPI"), **auth):
        return make_proxy({"mail1": backend(master_mail, private_folder, form)},
                          listeners={"plain": {"mechanisms": list(mechanisms)}},
                          auth={"gssapi_keytab": kdc.keytab, **auth})
    return make


class Ticket:
    """A user's side of one exchange."""

    def __init__(self, kdc, user, service="imap@localhost", flags=None):
        name = gssapi.Name(f"{user}@{kdc.realm}", gssapi.NameType.kerberos_principal)
        got = gssapi.raw.acquire_cred_with_password(
            name, PEOPLE[user].encode(), usage="initiate", mechs=[gssapi.MechType.kerberos])
        target = gssapi.Name(service, gssapi.NameType.hostbased_service)
        self.context = gssapi.SecurityContext(
            name=target, creds=gssapi.Credentials(got.creds), usage="initiate",
            mech=gssapi.MechType.kerberos, flags=flags)

    def first(self):
        return self.context.step()

    def next(self, token):
        """The context's next token, empty when it stands."""
        return (self.context.step(token) if token else b"") or b""

    def agree(self, offer, layer=NO_LAYER, authzid=b""):
        plain = self.context.unwrap(offer).message
        assert plain == NO_LAYER, plain
        return self.context.wrap(layer + authzid, False).message


def sign_in(client, ticket, initial=True, authzid=b"", layer=NO_LAYER):
    steps = [ticket.next, lambda token: ticket.agree(token, layer, authzid)]
    if not ticket.context.complete and initial:
        first = ticket.first()
        if ticket.context.complete:  # the server has nothing to prove: its offer comes at once
            steps = steps[1:]
        return exchange.run(client, "GSSAPI", *steps, initial=first)
    return exchange.run(client, "GSSAPI", lambda _: ticket.first(), *steps)


@pytest.mark.parametrize("form", ["authzid", "separator"])
def test_sign_in(mux, master_mail, kdc, form):
    proxy = mux(form)
    master_mail.fill("u1", 4)
    mark = master_mail.mark()
    for initial in (True, False):
        for authzid in (b"", b"u1", f"u1@{kdc.realm}".encode()):
            with proxy.client() as client:
                assert b"AUTH=GSSAPI" in client.greeting
                sign_in(client, Ticket(kdc, "u1"), initial, authzid).ok()
                assert b"4 EXISTS" in client.cmd("EXAMINE INBOX").ok().raw
                client.logout()
    assert set(master_mail.signed_in(mark)) == {"u1"}
    assert {e["user"] for e in proxy.events(msg="sign-in", mechanism="GSSAPI")} == {"u1"}


def test_mutual_authentication_or_not(mux, kdc):
    """With it the server sends a token of its own, which the client answers by an empty message."""
    proxy = mux()
    integrity = gssapi.RequirementFlag.integrity
    with proxy.client() as client:
        sign_in(client, Ticket(kdc, "u1", flags=integrity)).ok()
    with proxy.client() as client:
        mutual = gssapi.RequirementFlag.mutual_authentication
        sign_in(client, Ticket(kdc, "u1", flags=[integrity, mutual])).ok()


def test_a_page_view_is_served_from_the_pool(mux, master_mail, kdc):
    proxy = mux()
    mark = master_mail.mark()
    for _ in range(3):
        ends = len(proxy.events(msg="session end"))
        parked = len(proxy.events(msg="parked"))
        with proxy.client() as client:
            sign_in(client, Ticket(kdc, "u2")).ok()
            client.cmd("SELECT INBOX").ok()
            client.logout()
        proxy.wait_event(msg="session end", count=ends + 1)
        process.wait_for(lambda: len(proxy.events(msg="parked")) > parked, "it is parked")
    assert len(master_mail.logins("u2", mark)) == 1


def test_names(mux, make_proxy, master_mail, private_folder, kdc):
    proxy = mux()
    with proxy.client() as client:
        # Somebody else, with a good ticket; and a principal that is no person.
        sign_in(client, Ticket(kdc, "u1"), authzid=b"u2").no("AUTHENTICATIONFAILED")
        sign_in(client, Ticket(kdc, "u1/admin")).no("AUTHENTICATIONFAILED")
        sign_in(client, Ticket(kdc, "u1"), authzid=b"u1\0").no("AUTHENTICATIONFAILED")
        sign_in(client, Ticket(kdc, "u1")).ok()
    users = [{"match": "*@example.test", "backend": "mail1", "login": "%n"}]
    proxy = make_proxy({"mail1": backend(master_mail, private_folder)}, users=users,
                       listeners={"plain": {"mechanisms": ["GSSAPI"]}},
                       auth={"gssapi_keytab": kdc.keytab, "gssapi_user": "address",
                             "gssapi_hostname": "localhost"})
    with proxy.client() as client:
        assert b"LOGINDISABLED" in client.greeting
        sign_in(client, Ticket(kdc, "u1")).ok()
    assert proxy.wait_event(msg="sign-in")["user"] == "u1@example.test"


def test_tickets_of_another_service_and_layers(mux, kdc):
    proxy = mux()
    with proxy.client() as client:
        sign_in(client, Ticket(kdc, "u1", "HTTP@localhost")).no("AUTHENTICATIONFAILED")
    with proxy.client() as client:
        for layer in (b"\x02\0\x10\0", b"\x04\0\x10\0", b"\0\0\0\0", b"\x01", b""):
            sign_in(client, Ticket(kdc, "u1"), layer=layer).no("AUTHENTICATIONFAILED")
        sign_in(client, Ticket(kdc, "u1")).ok()


def test_a_token_is_good_once(mux, kdc):
    """A listener who repeats what he has heard gets nowhere: the replay cache."""
    proxy = mux()
    ticket = Ticket(kdc, "u1")
    first = ticket.first()
    with proxy.client() as client:
        exchange.run(client, "GSSAPI", ticket.next, ticket.agree, initial=first).ok()
    with proxy.client() as client:
        exchange.run(client, "GSSAPI", lambda token: b"", initial=first).no("AUTHENTICATIONFAILED")


BAD = [b"", b"\0", b"x" * 500, b"\x60\x82\xff\xff", b"\x60" * 9000]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_bad_tokens(mux, master_mail, kdc, text):
    proxy = mux()
    mark = master_mail.mark()
    with proxy.client() as client:
        assert exchange.run(client, "GSSAPI", lambda token: b"x", initial=text).status in ("NO", "BAD")
        exchange.run(client, "GSSAPI", lambda token: b"*\r\n").bad()
        exchange.run(client, "GSSAPI", lambda token: b"!\r\n")
        ticket = Ticket(kdc, "u1")
        exchange.run(client, "GSSAPI", ticket.next, lambda token: text, initial=ticket.first()).no()
        ticket = Ticket(kdc, "u1")
        exchange.run(client, "GSSAPI", ticket.next, lambda token: b"*\r\n",
                     initial=ticket.first()).bad()
        client.login("u7", master_mail.users["u7"]).ok()
    assert set(master_mail.signed_in(mark)) == {"u7"}


def test_check_tells_of_a_keytab_that_will_not_do(kdc, mux, private_folder):
    conf, status, errors = check(private_folder, kdc.web_keytab, private_folder + "/master.word")
    assert status == 2 and f"{conf}:4: auth.gssapi_keytab: {kdc.web_keytab}: " in errors, errors
