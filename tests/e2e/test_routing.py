"""Who goes to which server under which name."""

import collections
import time

import pytest

from lib.imap import Client
from lib.proxy import at_most, binary, command, is_sanitized, render

pytestmark = pytest.mark.threads


def landed(proxy, servers, user, password):
    """The name of the server that saw this user's sign-in, and the name it was given."""
    marks = {name: server.mark() for name, server in servers.items()}
    with proxy.client(user, password) as client:
        client.cmd("NOOP").ok()
        client.logout()
    seen = [(name, login) for name, server in servers.items()
            for login in server.signed_in(marks[name])]
    assert len(seen) == 1, seen
    return seen[0]


@pytest.fixture
def servers(mail1, mail2):
    return {"mail1": mail1, "mail2": mail2}


RULES = [
    {"match": "bob@example.org", "backend": "mail2"},
    {"match": "*@example.org", "backend": "mail1", "login": "%n"},
    {"regex": "^(.+)@old\\.example$", "backend": "mail2", "login": "$1"},
    {"match": "u1?", "backend": "mail2"},
    {"match": "u[2-3]", "backend": "mail2"},
    {"match": "u*", "backend": "mail1"},
]


@pytest.mark.parametrize("user, where, login", [
    ("bob@example.org", "mail2", "bob@example.org"),  # exact, and before the glob that matches too
    ("alice@example.org", "mail1", "alice"),
    ("carol@old.example", "mail2", "carol"),
    ("u11", "mail2", "u11"),
    ("u1", "mail1", "u1"),
    ("u5", "mail1", "u5"),
])
def test_first_match_wins_and_the_login_name_is_rewritten(make_proxy, servers, user, where, login):
    proxy = make_proxy(servers, users=RULES)
    password = servers[where].users[login]
    assert landed(proxy, servers, user, password) == (where, login)


def test_the_pool_knows_the_server_and_the_name(make_proxy, servers):
    """alice@example.org signs in as alice: not to be mixed up with alice, nor with her own address."""
    proxy = make_proxy(servers, users=[{"match": "*@example.org", "backend": "mail1", "login": "%n"},
                                       {"match": "*", "backend": "mail2"}])
    word = servers["mail1"].users["alice"]
    assert landed(proxy, servers, "alice@example.org", word) == ("mail1", "alice")
    assert landed(proxy, servers, "alice", word) == ("mail2", "alice")
    with proxy.client() as client:
        client.login("alice@example.org", servers["mail1"].users["alice@example.org"]).no()


def test_login_rewriting_in_full(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, users=[
        {"match": "*@one.example", "backend": "mail", "login": "%n@example.org"},
        {"match": "*@example.org", "backend": "mail", "login": "%u"},
        {"regex": "^(u)x([0-9]+)$", "backend": "mail", "login": "$1$2"},
        {"match": "*", "backend": "mail", "login": "%n"}])
    for user, login in (("alice@one.example", "alice@example.org"),
                        ("alice@example.org", "alice@example.org"), ("ux12", "u12"), ("u3@x.y", "u3")):
        proxy.client(user, mail1.users[login]).logout()


def test_a_map_file_routes_and_rewrites(make_proxy, servers, tmp_path):
    path = tmp_path / "users.map"
    path.write_text("# comment\n\nu1\tmail2\nu2\tmail1\nalice@example.org\tmail2\talice\n"
                    "u3 mail2\nbob@example.org   mail1   bob@example.org\nu4\tboth\n")
    proxy = make_proxy(servers, groups=[{"name": "both", "backends": ["mail2"]}],
                       users=[{"file": str(path)}, {"match": "u5", "backend": "mail1"}])
    for user, where, login in (("u1", "mail2", "u1"), ("u2", "mail1", "u2"), ("u3", "mail2", "u3"),
                               ("alice@example.org", "mail2", "alice"), ("u4", "mail2", "u4"),
                               ("bob@example.org", "mail1", "bob@example.org"), ("u5", "mail1", "u5")):
        assert landed(proxy, servers, user, servers[where].users[login]) == (where, login)
    with proxy.client() as client:
        client.login("u6", servers["mail1"].users["u6"]).no("AUTHENTICATIONFAILED")


def test_a_map_file_of_a_million_lines(make_proxy, mail1, tmp_path):
    path = tmp_path / "big.map"
    # Under a sanitizer a million would take half of the time that a start may take.
    count = 200000 if is_sanitized(binary()) else 1000000
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"user{n:07d}@domain{n % 1000}.example\tmail\n" for n in range(count))
        file.write("u1\tmail\n")
    proxy = make_proxy({"mail": mail1}, users=[{"file": str(path)}])
    proxy.client("u1", mail1.users["u1"]).logout()
    with proxy.client() as client:
        client.login("user0100000@domain0.example", "x").no()
        client.login("user0100000@domain1.example", "x").no()
    assert proxy.rss_kib() < at_most(300 << 10)
    status, out, _ = command("route", "-c", proxy.conf, f"user{count - 1:07d}@domain999.example")
    assert status == 0 and "mail" in out


def test_a_group_spreads_users_and_each_stays(make_proxy, servers, tmp_path):
    proxy = make_proxy(servers, groups=[{"name": "both", "backends": ["mail1", "mail2"]}],
                       users=[{"match": "*", "group": "both"}])
    first = {f"u{n}": landed(proxy, servers, f"u{n}", servers["mail1"].users[f"u{n}"])[0]
             for n in range(1, 21)}
    assert set(first.values()) == {"mail1", "mail2"}
    again = make_proxy(servers, groups=[{"name": "both", "backends": ["mail2", "mail1"]}],
                       users=[{"match": "*", "group": "both"}])
    for user, where in first.items():
        # Not even another process, nor another order of the members, sends a user elsewhere.
        assert landed(again, servers, user, servers["mail1"].users[user])[0] == where
        status, out, _ = command("route", "-c", proxy.conf, user)
        assert status == 0 and where in out


def test_weights_share_out_the_users_of_a_group(tmp_path):
    def share(weights):
        conf = tmp_path / "weights.conf"
        conf.write_text(render({
            "listeners": [{"address": "127.0.0.1:10143", "tls": "none"}],
            "backends": [{"name": name, "address": "127.0.0.1:1", "tls": "none", "weight": weight}
                         for name, weight in weights.items()],
            "groups": [{"name": "all", "backends": list(weights)}],
            "users": [{"match": "*", "group": "all"}], "admin": {"socket": "", "http": ""}}))
        count = collections.Counter()
        for n in range(60):
            status, out, err = command("route", "-c", str(conf), f"person{n}@example.org")
            assert status == 0, err
            count[next(name for name in weights if name in out)] += 1
        return count

    heavy = share({"aaaa": 1, "bbbb": 9})
    assert heavy["bbbb"] > 40 > heavy["aaaa"]


def test_S22_no_match_looks_like_a_wrong_password(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, users=[{"match": "u*", "backend": "mail"}],
                       limits={"auth_delay": "1s"})

    def guess(user, source):
        answers, times = [], []
        with Client(proxy.address(), source=(source, 0)) as client:
            for _ in range(2):
                start = time.monotonic()
                reply = client.login(user, "wrong").no("AUTHENTICATIONFAILED")
                times.append(time.monotonic() - start)
                answers.append(reply.tagged.split(b" ", 1)[1])
        return answers, times

    # A slow machine may hold up one of them; a difference of the proxy's own would be there each time.
    for attempt in range(4):
        known = guess(f"u{attempt + 1}", f"127.0.0.{2 + attempt}")
        unknown = guess(f"nobody{attempt}", f"127.0.1.{2 + attempt}")
        assert len({*known[0], *unknown[0]}) == 1, (known, unknown)
        # The same delays, within what the servers themselves take.
        if all(abs(one - other) < 0.9 for one, other in zip(known[1], unknown[1])):
            return
    raise AssertionError((known, unknown))


def test_S6_a_regex_that_explodes_is_bounded(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, users=[{"regex": "^(a+)+$", "backend": "mail"},
                                               {"match": "u1", "backend": "mail"}])
    with proxy.client() as client, proxy.client("u1", mail1.users["u1"]) as other:
        tag = client.start("LOGIN " + "a" * 200 + "! x")
        other.cmd("NOOP").ok()
        client.until(tag).no()


def test_users_by_address_stick_to_rules_by_case(make_proxy, servers):
    """A name is passed on as the client wrote it; the server decides about its case."""
    proxy = make_proxy(servers, users=[{"match": "alice@example.org", "backend": "mail1"}])
    with proxy.client() as client:
        client.login("nobody@example.org", "x").no("AUTHENTICATIONFAILED")
        client.login("alice@example.org", servers["mail1"].users["alice@example.org"]).ok()


def test_route_command_tells_rule_backend_login_and_worker(make_proxy, servers):
    proxy = make_proxy(servers, users=RULES)
    status, out, _ = command("route", "-c", proxy.conf, "carol@old.example")
    assert status == 0
    for word in ("mail2", "carol", "old", "worker"):
        assert word in out, out
    status, out, err = command("route", "-c", proxy.conf, "nobody@nowhere.example")
    assert "no" in (out + err).lower()
