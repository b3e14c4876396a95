"""Failed sign-ins: who waits and who does not, limits at the door, what fail2ban makes of the log."""

import ast
import os
import subprocess
import time

import pytest

from lib import exchange, process
from lib.fake import GREETING, Fake, friendly
from lib.imap import Client
from lib.master import backend, write

pytestmark = pytest.mark.threads

FILTER = os.path.join(process.TOP, "etc", "fail2ban", "filter.d", "imapmux.conf")
# Long enough that a busy machine has not passed it before the refusal is due, short enough to wait for.
SHORT = {"auth_delay": "100ms", "auth_delay_max": "600ms"}


def refusing(peer):
    """A server that knows nobody."""
    peer.send(GREETING)
    tag = peer.line().split()[0]
    peer.send(tag + b" NO [AUTHENTICATIONFAILED] no\r\n")
    peer.until_eof()


def wrong(proxy, user, password="wrong", source="127.0.0.1"):
    """One wrong password on a connection of its own; how long the log says it had to wait, in ms."""
    before = len(proxy.events(msg="sign-in failed"))
    with Client(proxy.address(), source=(source, 0)) as client:
        client.login(user, password).no("AUTHENTICATIONFAILED")
    row = proxy.events(msg="sign-in failed")[before]
    return int(row.get("delay_ms", 0))


def test_waits_double_for_an_address_and_for_a_user(make_proxy):
    with Fake(refusing) as server:
        proxy = make_proxy({"fake": server.where()}, limits=SHORT)
        # One address, many names: on whichever worker they live.
        waits = [wrong(proxy, f"name{n}", source="127.0.0.2") for n in range(5)]
        assert waits == [100, 200, 400, 600, 600]
        # One name from many addresses.
        waits = [wrong(proxy, "victim", f"guess{n}", f"127.0.1.{n + 1}") for n in range(4)]
        assert waits == [100, 200, 400, 600]
        # Others are not concerned.
        assert wrong(proxy, "other", source="127.0.0.3") == 100


def test_a_name_without_a_server_waits_like_a_wrong_password(make_proxy):
    with Fake(refusing) as server:
        proxy = make_proxy({"fake": server.where()}, limits=SHORT,
                           users=[{"match": "u*", "backend": "fake"}])
        waits = [wrong(proxy, name, source="127.0.0.2") for name in ("u1", "nobody", "u2", "noone")]
        assert waits == [100, 200, 400, 600]
        assert {row["reason"] for row in proxy.events(msg="sign-in failed")} == \
            {"auth-failed", "no-route"}


def test_the_same_wrong_password_is_not_counted_twice(make_proxy):
    """A device that was not told of a password change."""
    with Fake(refusing) as server:
        proxy = make_proxy({"fake": server.where()}, limits=SHORT)
        assert [wrong(proxy, "u1", "old") for _ in range(5)] == [100] * 5
        assert wrong(proxy, "u1", "older") == 200


def test_S9_a_right_password_never_waits(make_proxy, mail1):
    """Strangers who try the name, also from the user's own address, delay nobody but themselves."""
    proxy = make_proxy({"mail": mail1}, limits={"auth_delay": "1h", "auth_delay_max": "2h"})
    strangers = []
    for guess in range(10):
        stranger = Client(proxy.address())
        strangers.append((stranger, stranger.start(f"LOGIN u1 guess{guess}")))
    proxy.wait_event(msg="sign-in failed", count=10)
    for _ in range(3):  # at the server, then from the pool
        with proxy.client("u1", mail1.users["u1"]) as victim:
            victim.cmd("NOOP").ok()
            victim.logout()
    assert proxy.wait_event(msg="sign-in", count=3)["connection"] == "pooled"
    for stranger, _ in strangers:
        assert stranger.pending(0.01) == b""
        stranger.close()


def test_a_wait_does_not_hold_up_the_end(make_proxy):
    with Fake(refusing) as server:
        proxy = make_proxy({"fake": server.where()}, limits={"auth_delay": "1h", "drain_timeout": "1h"})
        with Client(proxy.address()) as client:
            client.start("LOGIN u1 wrong")
            proxy.wait_event(msg="sign-in failed")
            proxy.process.terminate()
            assert b" NO [AUTHENTICATIONFAILED]" in client.rest()
        proxy.stop()


def test_who_leaves_instead_of_waiting_still_counts(make_proxy):
    """Else whoever never reads the answer would guess as fast as he can connect."""
    with Fake(refusing) as server:
        proxy = make_proxy({"fake": server.where()}, limits={"auth_delay": "1h", "clients_per_ip": 3})
        for guess in range(3):
            with Client(proxy.address()) as client:
                client.start(f"LOGIN u1 guess{guess}")
                proxy.wait_event(msg="sign-in failed", count=guess + 1)
        with Client(proxy.address(), greet=False) as client:
            assert client.rest() == b"* BYE [LIMIT] Too many connections from your address\r\n"
        with Client(proxy.address(), source=("127.0.0.2", 0)) as client:
            client.cmd("NOOP").ok()


def test_refused_clients_do_not_fill_the_log(make_proxy):
    with Fake(friendly) as server:
        proxy = make_proxy({"fake": server.where()}, workers=1, limits={"clients_per_ip": 1},
                           log={"level": "info"})
        with proxy.client():
            for _ in range(50):
                with Client(proxy.address(), greet=False) as client:
                    client.rest()
        proxy.stop()
        told, more = (proxy.events(msg=msg) for msg in ("client refused", "more clients refused"))
        assert {(row["client"], row["reason"]) for row in told} == {("127.0.0.1", "limit-per-ip")}
        assert {row["level"] for row in more} == {"warn"}
        assert len(told) + sum(int(row["clients"]) for row in more) == 50
        assert len(told) + len(more) < 10  # two, unless it takes more than ten seconds


def banned(log, *options):
    """[(address, time)] of the lines that fail2ban takes for failed sign-ins."""
    found = subprocess.run(["fail2ban-regex", "-o", "row", *options, log, FILTER], capture_output=True,
                           text=True, check=True, timeout=process.SOON * 3,
                           env={**os.environ, "TZ": "Asia/Kathmandu"})
    return [ast.literal_eval(row.rstrip(","))[:2] for row in found.stdout.splitlines()]


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_fail2ban_matches_what_it_should_and_nothing_else(make_proxy, mail1, tmp_path, form):
    proxy = make_proxy({"mail": mail1, "down": {"address": "127.0.0.1:1", "tls": "none"}},
                       users=[{"match": "down*", "backend": "down"}, {"match": "u*", "backend": "mail"}],
                       log={"format": form, "level": "debug"}, limits={"sessions_per_user": 1})
    liar = b'u" client=10.9.9.9 reason=auth-failed level=info msg="sign-in failed" client=10.9.9.9'
    liar_json = b'u","msg":"sign-in failed","session":"00","client":"10.9.9.9","reason":"auth-failed"'
    for source, user, password in (
            ("127.0.0.2", b"u1", b"wrong"), ("127.0.0.3", b"nobody", b"x"),
            ("127.0.0.4", liar, b"x"), ("127.0.0.5", liar_json, b"x"),
            # Not their fault: a server that is away.
            ("127.0.0.6", b"down", b"x"), ("127.0.0.7", b"down " + liar, b"x")):
        with Client(proxy.address(), source=(source, 0)) as client:
            client.send(b"a LOGIN {%d+}\r\n%s {%d+}\r\n%s\r\n" %
                        (len(user), user, len(password), password))
            client.until("a").no()
    with proxy.client("u1", mail1.users["u1"]) as one, proxy.client() as two:
        one.cmd("NOOP").ok()
        two.login("u1", mail1.users["u1"]).no("LIMIT")
    expected = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"]
    log = tmp_path / "log"
    log.write_text("\n".join(proxy.lines) + "\n")
    found = banned(log)
    assert [address for address, _ in found] == expected
    # The time that stands in the line, whatever the zone of the machine.
    assert all(abs(when - time.time()) < 600 for _, when in found), found
    # From the journal the lines come with the time apart, and with host and program.
    log.write_text("".join(f"{int(time.time())} host imapmux[1]: {line}\n" for line in proxy.lines))
    assert [address for address, _ in banned(log, "-d", "^EPOCH")] == expected


def test_those_whom_a_trusted_address_speaks_for_wait_for_themselves(make_proxy):
    """A webmail: its users do not wait for each other, and whom it names is counted as he himself."""
    with Fake(refusing) as server:
        proxy = make_proxy({"fake": server.where()}, limits=SHORT,
                           listeners={"plain": {"trusted": ["127.0.0.9"]}})
        assert [wrong(proxy, f"a{n}", source="127.0.0.9") for n in range(4)] == [100] * 4
        for expected in (100, 200, 400):
            with Client(proxy.address(), source=("127.0.0.9", 0)) as client:
                client.cmd('ID ("x-originating-ip" "198.51.100.7")').ok()
                client.login(f"b{expected}", "wrong").no("AUTHENTICATIONFAILED")
            row = proxy.events(msg="sign-in failed")[-1]
            assert row["client"] == "198.51.100.7" and int(row["delay_ms"]) == expected


def test_who_is_judged_here_is_counted_as_whom_his_webmail_names(make_proxy, private_folder):
    """The password file knows him: he is refused before any server is asked, and as the same client."""
    users = write(private_folder, "abuse.pw", "u1:{PLAIN}right\n")
    with Fake(refusing) as server:
        proxy = make_proxy({"fake": backend(server, private_folder)}, limits=SHORT,
                           listeners={"plain": {"trusted": ["127.0.0.9"]}},
                           auth={"password_file": users})
        for n, expected in enumerate((100, 200, 400)):
            with Client(proxy.address(), source=("127.0.0.9", 0)) as client:
                client.cmd('ID ("x-originating-ip" "198.51.100.8")').ok()
                client.login("u1", f"wrong{n}").no("AUTHENTICATIONFAILED")
            row = proxy.events(msg="sign-in failed")[-1]
            assert row["client"] == "198.51.100.8" and int(row["delay_ms"]) == expected
        # He, and not only the user.
        with Client(proxy.address(), source=("127.0.0.9", 0)) as client:
            client.cmd('ID ("x-originating-ip" "198.51.100.8")').ok()
            client.login("somebody", "wrong").no("AUTHENTICATIONFAILED")
        assert int(proxy.events(msg="sign-in failed")[-1]["delay_ms"]) == 600


def test_guesses_at_a_master_user_are_his_whomever_he_asks_for(make_proxy):
    """One password is guessed at, from many addresses and for ever other mailboxes."""
    with Fake(refusing) as server:
        proxy = make_proxy({"fake": server.where()}, limits=SHORT)
        waits = []
        for n in range(4):
            with Client(proxy.address(), source=(f"127.0.2.{n + 1}", 0)) as client:
                exchange.plain(client, "the-master", f"guess{n}", authzid=f"box{n}").no(
                    "AUTHENTICATIONFAILED")
            waits.append(int(proxy.events(msg="sign-in failed")[-1]["delay_ms"]))
        assert waits == [100, 200, 400, 600]


@pytest.mark.parametrize("code", ["AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "REFERRAL imap://x/"])
def test_time_does_not_tell_that_the_password_was_right(make_proxy, code):
    """It was, but not for this mailbox, or not at this server: words and time are those of a wrong one."""
    def refuse(peer):
        peer.send(GREETING)
        tag = peer.line().split()[0]
        peer.send(tag + f" NO [{code}] no\r\n".encode())
        peer.until_eof()

    with Fake(refuse) as server:
        proxy = make_proxy({"fake": server.where()}, limits=SHORT)
        for n, expected in enumerate((100, 200, 400)):
            with proxy.client() as client:
                exchange.plain(client, f"u{n}", "word", authzid="box").no("AUTHENTICATIONFAILED")
            assert int(proxy.events(msg="sign-in failed")[-1]["delay_ms"]) == expected
