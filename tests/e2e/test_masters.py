"""PLAIN with an authorization identity: somebody signs in for somebody else, before real servers."""

import os

import pytest

from lib import cyrus as cyrus_module
from lib import process
from lib.dovecot import Dovecot
from lib.sasl import SaslDovecot, Scram, scram

MASTER, WORD = "boss", "word-of-boss"


class MasterDovecot(SaslDovecot):
    """With a master user who has no mail of his own."""

    def __init__(self, cert, key, **options):
        self.folder = process.private_dir("masters")
        with open(os.path.join(self.folder, "masters"), "w", encoding="ascii") as file:
            file.write(f"{MASTER}:{{PLAIN}}{WORD}\n")
        extra = f"passdb {{\n  driver = passwd-file\n  master = yes\n  args = {self.folder}/masters\n}}\n"
        super().__init__(cert, key, extra=extra, **options)

    def remove(self):
        super().remove()
        process.remove_dir(self.folder)


@pytest.fixture(scope="module", name="dovecot")
def master_dovecot(certificate):
    server = MasterDovecot(*certificate).start()
    yield server
    server.remove()


@pytest.fixture(scope="module", name="cyrus")
def master_cyrus(certificate):
    server = cyrus_module.Cyrus(*certificate, users={"u1": "p1", "u2": "p2", MASTER: WORD},
                                masters=MASTER).start()
    yield server
    server.remove()


@pytest.fixture(params=["dovecot", "cyrus"], name="server")
def either(request):
    return request.getfixturevalue(request.param)


def see_own_mail(client, user):
    """Leaves a trace in the mailbox of the one who is signed in, and finds it."""
    client.cmd(f"CREATE box-of-{user}")
    assert client.cmd('LIST "" box-of-*').ok().find(f"box-of-{user}")
    others = [line for line in client.cmd('LIST "" box-of-*').ok().untagged
              if f"box-of-{user}".encode() not in line]
    assert others == []


@pytest.mark.parametrize("initial", [True, False])
def test_a_master_user_sees_the_others_mail(make_proxy, server, initial):
    proxy = make_proxy({"mail": server})
    for user in ("u1", "u2"):
        with proxy.client() as client:
            client.authenticate_plain(MASTER, WORD, authzid=user, initial=initial).ok()
            see_own_mail(client, user)
            client.logout()
    seen = [(row["user"], row["master"], row["login"]) for row in proxy.events(msg="sign-in")]
    assert seen == [("u1", MASTER, "u1"), ("u2", MASTER, "u2")]


def test_what_he_has_opened_is_for_him_only(make_proxy, server):
    proxy = make_proxy({"mail": server}, pool={"max_idle_per_user": 5})

    def connection(user, password, authzid=""):
        rest = len(proxy.events(msg="parked"))
        with proxy.client() as client:
            client.authenticate_plain(user, password, authzid=authzid).ok()
            see_own_mail(client, authzid or user)
            client.logout()
        proxy.wait_event(msg="parked", count=rest + 1)
        return proxy.events(msg="sign-in")[-1]["connection"]

    own = server.users["u1"]
    assert connection(MASTER, WORD, "u1") == "new"
    assert connection(MASTER, WORD, "u1") == "pooled"
    assert connection("u1", own) == "new"
    assert connection(MASTER, WORD, "u2") == "new"
    assert connection("u1", own) == "pooled"
    assert connection(MASTER, WORD, "u1") == "pooled"
    # Who repeats his own name is nobody's master.
    assert connection("u1", own, "u1") == "pooled"


def test_nobody_else_may(make_proxy, server):
    proxy = make_proxy({"mail": server})
    with proxy.client() as client:
        client.authenticate_plain("u2", server.users["u2"], authzid="u1").no()
        client.authenticate_plain(MASTER, "wrong", authzid="u1").no("AUTHENTICATIONFAILED")
        client.authenticate_plain("u1", server.users["u1"]).ok()
        see_own_mail(client, "u1")
        client.logout()
    refused = proxy.events(msg="sign-in failed")
    assert [row["user"] for row in refused] == ["u1", "u1"]
    assert [row["master"] for row in refused] == ["u2", MASTER]


def test_rules_look_at_whose_mail_it_is(make_proxy, dovecot, certificate):
    other = Dovecot(*certificate).start()
    try:
        proxy = make_proxy({"other": other, "mail": dovecot}, users=[
            {"match": "*@example.org", "backend": "mail", "login": "%n"},
            {"match": "*", "backend": "other"}])
        with proxy.client() as client:
            client.authenticate_plain(MASTER, WORD, authzid="u1@example.org").ok()
            see_own_mail(client, "u1")
            client.logout()
        row, = proxy.events(msg="sign-in")
        assert (row["backend"], row["login"], row["master"]) == ("mail", "u1", MASTER)
        assert other.signed_in() == []
    finally:
        other.remove()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_a_master_user_by_scram(make_proxy, dovecot, mechanism):
    proxy = make_proxy({"mail": dovecot}, listeners={"plain": {"mechanisms": [mechanism]}})
    with proxy.client() as client:
        scram(client, mechanism, MASTER, WORD, authzid="u1").ok()
        see_own_mail(client, "u1")
        client.logout()
    with proxy.client() as client:
        scram(client, mechanism, "u2", dovecot.users["u2"], authzid="u1").no()
        one = Scram(mechanism, MASTER, WORD, authzid="nobody")
        client.start(f"AUTHENTICATE {mechanism} {one.first()}")
        client.challenge()


def test_a_server_that_knows_no_masters(make_proxy, courier):
    """Courier ignores for whom; the proxy does not let it: the name in the key is the one it was asked for."""
    proxy = make_proxy({"mail": courier})
    with proxy.client() as client:
        client.authenticate_plain("u1", courier.users["u1"], authzid="u2").no()
