"""Sign-ins that end at the proxy: password file, CRAM-MD5, SCRAM, client certificates; the server is
signed in to by a master user."""

import pytest

from lib import accounts, exchange, process
from lib.cyrus import Cyrus
from lib.dovecot import Dovecot
from lib.fake import Fake, friendly
from lib.master import EXTRA, MASTER, MASTER_WORD, backend, hashed, set_word, write
from lib.sasl import b64


def password_file(private_folder, name="users.pw"):
    """The users' passwords here are other ones than at the server."""
    return write(private_folder, name, "\n".join([
        "# who is judged here",
        "u1:" + hashed("SHA512-CRYPT", "one here"),
        "u1:" + hashed("SCRAM-SHA-256", "one here"),
        "u1:" + hashed("SCRAM-SHA-1", "one here"),
        "u1:" + hashed("CRAM-MD5", "one here"),
        "u2:{PLAIN}two:here",
        "u3:" + hashed("BLF-CRYPT", "three here"),
        "u4:" + hashed("SCRAM-SHA-256", "four here"),
        "nobody:{PLAIN}not at the server", ""]))


ALL = ["PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5"]


@pytest.fixture(scope="module", params=["authzid", "separator"])
def form(request):
    return request.param


@pytest.fixture
def judge(make_proxy, master_mail, private_folder):
    def make(form="authzid", mechanisms=ALL, **options):
        return make_proxy({"mail1": backend(master_mail, private_folder, form)},
                          listeners={"plain": {"mechanisms": mechanisms}},
                          auth={"password_file": password_file(private_folder)}, **options)
    return make


def is_at_home(client, user, master_mail):
    """The session is that of the user: it sees what he has."""
    master_mail.fill(user, int(user[1:]))
    assert f"{int(user[1:])} EXISTS".encode() in client.cmd("EXAMINE INBOX").ok().raw
    client.logout()


def test_password_in_the_file(judge, master_mail, form):
    proxy = judge(form)
    for user, word in (("u1", "one here"), ("u2", "two:here"), ("u3", "three here"),
                       ("u4", "four here")):
        with proxy.client(user, word) as client:
            is_at_home(client, user, master_mail)
        with proxy.client() as client:
            exchange.plain(client, user, word).ok()
        with proxy.client() as client:
            exchange.plain(client, user, word, authzid=user).ok()
            client.logout()
        with proxy.client() as client:
            exchange.plain(client, user, word + "x").no("AUTHENTICATIONFAILED")
            # What the server has for him counts no more.
            exchange.plain(client, user, master_mail.users[user]).no("AUTHENTICATIONFAILED")
            exchange.plain(client, user, word, authzid="u5").no("AUTHENTICATIONFAILED")
            client.login(user, word).ok()


def test_who_is_not_in_the_file_is_judged_by_the_server(judge, master_mail):
    proxy = judge()
    proxy.session("u7", master_mail.users["u7"])
    with proxy.client() as client:
        client.login("u7", "wrong").no("AUTHENTICATIONFAILED")
        client.login("nosuchuser", "x").no("AUTHENTICATIONFAILED")


def test_cram_md5(judge, master_mail, form):
    proxy = judge(form)
    for user, word in (("u1", "one here"), ("u2", "two:here")):
        with proxy.client() as client:
            assert b"AUTH=CRAM-MD5" in client.greeting
            exchange.cram_md5(client, user, word).ok()
            is_at_home(client, user, master_mail)
    with proxy.client() as client:
        for user, word in (("u1", "wrong"), ("u2", "wrong"), ("u3", "three here"), ("eve", "x"),
                           ("u7", master_mail.users["u7"])):
            exchange.cram_md5(client, user, word).no("AUTHENTICATIONFAILED")
        exchange.cram_md5(client, "u1", "one here").ok()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_scram(judge, master_mail, form, mechanism):
    proxy = judge(form)
    for initial in (True, False):
        for header in ("n,,", "y,,", "n,a=u1,"):
            with proxy.client() as client:
                reply, scram = exchange.scram(client, "u1", "one here", mechanism,
                                             initial=initial, header=header)
                reply.ok()
                assert scram.server_ok
    with proxy.client() as client:
        exchange.scram(client, "u2", "two:here", mechanism)[0].ok()
        is_at_home(client, "u2", master_mail)
    with proxy.client() as client:
        exchange.scram(client, "u1", "wrong", mechanism)[0].no("AUTHENTICATIONFAILED")
        exchange.scram(client, "u1", "one here", mechanism, authzid="u2")[0].no("AUTHENTICATIONFAILED")
        exchange.scram(client, "u3", "three here", mechanism)[0].no("AUTHENTICATIONFAILED")
        assert exchange.scram(client, "u1", "one here", mechanism,
                          header="p=tls-unique,,")[0].status in ("NO", "BAD")
        exchange.scram(client, "u1", "one here", mechanism)[0].ok()


@pytest.mark.threads
def test_a_page_view_is_served_from_the_pool(judge, master_mail, form):
    """What the master user opened for u1 serves every way in which the proxy itself proves u1, and none
    in which the server would have to."""
    proxy = judge(form)
    mark = master_mail.mark()

    def page(sign_in):
        before = len(proxy.events(msg="session end"))
        with proxy.client() as client:
            sign_in(client)
            client.cmd("SELECT INBOX").ok()
            client.logout()
        proxy.wait_event(msg="session end", count=before + 1)
        process.wait_for(lambda: len(proxy.events(msg="parked")) > before, "it is parked")

    page(lambda c: c.login("u1", "one here").ok())
    page(lambda c: exchange.cram_md5(c, "u1", "one here").ok())
    page(lambda c: exchange.scram(c, "u1", "one here")[0].ok())
    page(lambda c: exchange.plain(c, "U1", "one here").ok())
    assert len(master_mail.logins("u1", mark)) == 1, master_mail.since(mark)
    assert [e["connection"] for e in proxy.events(msg="sign-in")] == ["new"] + 3 * ["pooled"]
    assert [e["mechanism"] for e in proxy.events(msg="sign-in")] == [
        "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "PLAIN"]
    # A wrong password finds nothing there, and harms nothing.
    with proxy.client() as client:
        client.login("u1", "wrong").no("AUTHENTICATIONFAILED")
    page(lambda c: c.login("u1", "one here").ok())
    assert len(master_mail.logins("u1", mark)) == 1


def test_a_user_whom_the_server_does_not_know(make_proxy, master_mail, private_folder):
    """The proxy has proved him; that the server refuses the master user's word for him is no failure of
    his."""
    proxy = make_proxy({"mail1": backend(master_mail, private_folder, word="not the master's")},
                       auth={"password_file": password_file(private_folder)})
    with proxy.client() as client:
        client.login("u1", "one here").no("UNAVAILABLE")
        client.login("u1", "wrong").no("AUTHENTICATIONFAILED")
        client.login("u7", master_mail.users["u7"]).ok()
    assert proxy.events(msg="sign-in failed", reason="server-refused", user="u1")


def test_a_name_that_the_separator_would_cut(make_proxy, master_mail, private_folder):
    users = write(private_folder, "cut.pw", f"u1*{MASTER}:{{PLAIN}}mine\nu1*x:{{PLAIN}}mine\n")
    proxy = make_proxy({"mail1": backend(master_mail, private_folder, "separator")},
                       auth={"password_file": users})
    mark = master_mail.mark()
    with proxy.client() as client:
        for name in (f"u1*{MASTER}", "u1*x"):
            exchange.plain(client, name, "mine").no("UNAVAILABLE")
    assert master_mail.signed_in(mark) == []


def test_the_list_shows_what_can_work(make_proxy, master_mail, private_folder):
    def auths(proxy, **options):
        with proxy.client(**options) as client:
            return [word[5:] for word in client.greeting.decode().split("]")[0].split()
                    if word.startswith("AUTH=")]

    proxy = make_proxy({"mail1": backend(master_mail, private_folder)})
    assert auths(proxy)[:2] == ["PLAIN", "LOGIN"]
    assert not {"CRAM-MD5", "EXTERNAL", "GSSAPI"} & set(auths(proxy))
    only_hash = write(private_folder, "hash.pw", "u3:" + hashed("BLF-CRYPT", "three here") + "\n")
    proxy = make_proxy({"mail1": backend(master_mail, private_folder)},
                       auth={"password_file": only_hash},
                       listeners={"plain": {"mechanisms": ["CRAM-MD5"]}})
    assert auths(proxy) == []
    with proxy.client() as client:
        assert b"LOGINDISABLED" in client.greeting
        client.login("u3", "three here").no()
        client.cmd("AUTHENTICATE CRAM-MD5").no()
        exchange.plain(client, "u3", "three here").no()
    proxy = make_proxy({"mail1": backend(master_mail, private_folder)},
                       auth={"password_file": password_file(private_folder)},
                       listeners={"plain": {"mechanisms": ["cram-md5", "SCRAM-SHA-256"]}})
    assert auths(proxy) == ["SCRAM-SHA-256", "CRAM-MD5"]


BAD = ["!!!", "=", "AAA", "A" * 20000, "AHUxAHg", exchange.b64("u1"), exchange.b64("u1 " + "g" * 32),
       exchange.b64("\0\0\0"), exchange.b64("u\0001 " + "0" * 32), exchange.b64(b"\xff\xfe " + b"0" * 32), "*"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_bad_input_gets_one_answer_and_nothing_is_forwarded(judge, master_mail, mechanism):
    proxy = judge(limits={"preauth_bytes": "1m"})
    mark = master_mail.mark()
    with proxy.client("u7", master_mail.users["u7"]) as other:
        for text in BAD:
            for in_line in (True, False):
                if mechanism == "CRAM-MD5" and in_line:
                    continue
                with proxy.client() as client:
                    first = f" {text}" if in_line else ""
                    client.send(f"a AUTHENTICATE {mechanism}{first}\r\n")
                    line = client.response()
                    if line.startswith(b"+"):
                        client.send(text + "\r\n")
                        line = client.response()
                    if len(text) > 12288:
                        assert line.startswith((b"a BAD", b"* BYE")), line
                        continue
                    assert line.split(b" ")[:2] in ([b"a", b"NO"], [b"a", b"BAD"]), (line, text)
                    client.cmd("NOOP").ok()
                    client.login("u7", master_mail.users["u7"]).ok()
        other.cmd("NOOP").ok()
    assert set(master_mail.signed_in(mark)) == {"u7"}


def test_cram_md5_takes_no_initial_response(judge):
    proxy = judge()
    with proxy.client() as client:
        assert client.cmd("AUTHENTICATE CRAM-MD5 dTEgYWE=").status in ("BAD", "NO")
        exchange.cram_md5(client, "u1", "one here").ok()


def test_strangers_look_like_users(judge):
    """The salt of a name that does not exist is the same each time, and no other name's."""
    proxy = judge()
    seen = []
    for user in ("nosuchuser", "nosuchuser", "NoSuchUser", "other"):
        with proxy.client() as client:
            reply, scram = exchange.scram(client, user, "x")
            reply.no("AUTHENTICATIONFAILED")
            fields = dict(p.split("=", 1) for p in scram.server_first.split(","))
            seen.append((fields["s"], fields["i"]))
    with proxy.client() as client:
        known = exchange.scram(client, "u1", "x")[1].server_first
    assert seen[0] == seen[1] == seen[2] != seen[3]
    assert known.split("s=")[1].count("=") == f"{seen[0][0]},i={seen[0][1]}".count("=")


@pytest.mark.threads
def test_a_reload_reads_the_file_again(make_proxy, master_mail, private_folder):
    users = write(private_folder, "reload.pw", "u1:{PLAIN}before\n")
    proxy = make_proxy({"mail1": backend(master_mail, private_folder)},
                       auth={"password_file": users})
    proxy.session("u1", "before")
    write(private_folder, "reload.pw", "u1:{PLAIN}after\n")
    proxy.reload()

    def is_read():
        with proxy.client() as client:
            return client.login("u1", "after").status == "OK"

    process.wait_for(is_read, "the workers have the new file")
    with proxy.client() as client:
        client.login("u1", "before").no("AUTHENTICATIONFAILED")
    write(private_folder, "reload.pw", "u1:{NONSENSE}secret\n")
    line = proxy.reload()
    proxy.wait_line(r"reload\.pw:1: unknown scheme")
    assert "secret" not in proxy.text() and line
    with proxy.client() as client:
        client.login("u1", "after").ok()


def test_a_reload_counts_for_who_is_here_already(make_proxy, master_mail, private_folder):
    """Nobody keeps an old password alive by a connection that he opened before it was changed."""
    users = write(private_folder, "waiting.pw", "u1:{PLAIN}before\nu2:{PLAIN}before\n")
    proxy = make_proxy({"mail1": backend(master_mail, private_folder)},
                       listeners={"plain": {"mechanisms": ALL}}, auth={"password_file": users},
                       limits={"auth_delay": "0s"})
    with proxy.client() as early:
        early.login("u1", "wrong").no("AUTHENTICATIONFAILED")
        write(private_folder, "waiting.pw", "u1:{PLAIN}after\n")
        proxy.reload()

        def is_read():
            with proxy.client() as client:
                return client.login("u1", "after").status == "OK"

        process.wait_for(is_read, "the workers have the new file")
        early.login("u1", "before").no("AUTHENTICATIONFAILED")
        early.login("u2", "before").no("AUTHENTICATIONFAILED")
        exchange.cram_md5(early, "u2", "before").no("AUTHENTICATIONFAILED")
        exchange.scram(early, "u1", "after", "SCRAM-SHA-256")[0].ok()


@pytest.mark.threads
def test_clients_that_leave_while_their_password_is_hashed(judge, master_mail):
    """The thread goes on with what it has; nobody else waits for long, nothing is left behind."""
    proxy = judge()
    for _ in range(30):
        client = proxy.client()
        client.send("a LOGIN u1 {8+}\r\none here\r\n")
        client.close()
    gone = [proxy.client() for _ in range(10)]
    for client in gone:
        client.send("a AUTHENTICATE SCRAM-SHA-256\r\n")
        client.line()
        client.close()
    with proxy.client("u2", "two:here") as client:
        client.cmd("NOOP").ok()
    proxy.stop()


@pytest.mark.parametrize("right", ["proxyservers", "admins"])
def test_before_cyrus(make_proxy, certificate, private_folder, right):
    """A server that knows none of these mechanisms: PLAIN and LOGIN is all it has."""
    rights = {"masters": MASTER} if right == "proxyservers" else {"admins": MASTER}
    users = {**accounts.PLAIN, MASTER: MASTER_WORD}
    cyrus = Cyrus(*certificate, users=users, **rights).start()
    try:
        with cyrus.client(MASTER) as client:
            words = client.cmd("CAPABILITY").ok().raw
            assert b"CRAM-MD5" not in words and b"SCRAM" not in words
            if right == "admins":
                client.cmd("CREATE user/u1").ok()
                client.cmd("CREATE user/u1/mine").ok()
        proxy = make_proxy({"mail1": backend(cyrus, private_folder)},
                           listeners={"plain": {"mechanisms": ALL}},
                           auth={"password_file": password_file(private_folder)})

        def look(client):
            answer = client.cmd('LIST "" "*"').ok().raw
            assert (right != "admins") or (b"INBOX" in answer and b"mine" in answer)
            client.logout()

        for sign_in in (lambda c: c.login("u1", "one here"),
                        lambda c: exchange.plain(c, "u1", "one here"),
                        lambda c: exchange.cram_md5(c, "u1", "one here"),
                        lambda c: exchange.scram(c, "u1", "one here")[0],
                        lambda c: exchange.scram(c, "u1", "one here", "SCRAM-SHA-1")[0]):
            with proxy.client() as client:
                sign_in(client).ok()
                look(client)
        assert {user for user, _ in cyrus.asked if user != "u7"} <= {MASTER}
        with proxy.client() as client:
            client.login("u7", cyrus.users["u7"]).ok()
            exchange.cram_md5(client, "u1", "wrong")
    finally:
        cyrus.remove()


def test_before_courier_which_has_no_master_users(make_proxy, courier, private_folder):
    """It takes no authorization identity, and must not let anybody in as the master user instead."""
    courier.users[MASTER] = MASTER_WORD
    try:
        for form in ("authzid", "separator"):
            proxy = make_proxy({"mail1": backend(courier, private_folder, form)},
                               auth={"password_file": password_file(private_folder)})
            with proxy.client() as client:
                reply = client.login("u1", "one here")
                assert reply.status == "NO", reply.raw
                client.login("u7", courier.users["u7"]).ok()
    finally:
        del courier.users[MASTER]


def test_before_a_server_that_has_scram(make_proxy, certificate, private_folder):
    """Who is in the file is judged here, the others by the server, unread; the probe tells which."""
    file = write(private_folder, "masters", f"{MASTER}:{{PLAIN}}{MASTER_WORD}\n")
    mail = Dovecot(*certificate, extra=EXTRA.format(file=file) +
                   "auth_mechanisms = plain login scram-sha-256\n").start()
    try:
        proxy = make_proxy({"mail1": backend(mail, private_folder)},
                           listeners={"plain": {"mechanisms": ALL}},
                           auth={"password_file": password_file(private_folder)},
                           capabilities={"probe": "60s"})

        def shown():
            with proxy.client() as client:
                return b"AUTH=SCRAM-SHA-256" in client.greeting and b" IDLE" in client.greeting

        process.wait_for(shown, "the server was asked")
        mark = mail.mark()
        with proxy.client() as client:
            # What only the file knows is judged here, whoever asks.
            exchange.scram(client, "u7", mail.users["u7"], "SCRAM-SHA-1")[0].no()
            exchange.scram(client, "u7", "wrong")[0].no("AUTHENTICATIONFAILED")
            reply, scram = exchange.scram(client, "u7", mail.users["u7"])
            reply.ok()
            assert scram.server_ok
        with proxy.client() as client:
            exchange.scram(client, "u1", mail.users["u1"])[0].no("AUTHENTICATIONFAILED")
            exchange.scram(client, "u1", "one here")[0].ok()
        mail.settle()
        names = mail.since(mark)
        assert any("method=SCRAM-SHA-256" in line and "<u7>" in line for line in names), names
        assert not any("method=SCRAM" in line and "<u1>" in line for line in names), names
    finally:
        mail.remove()


def test_sessions_outlive_the_masters_password(make_proxy, master_mail, private_folder):
    """It is changed at the server and here; who is signed in and needs another connection gets one."""
    proxy = make_proxy({"mail1": backend(master_mail, private_folder)},
                       auth={"password_file": password_file(private_folder)},
                       pool={"idle_timeout": "1s"})
    proxy.session("u1", "one here")
    with proxy.client("u1", "one here") as client:
        client.cmd("NOOP").ok()
        proxy.wait_event(msg="server connection closed", reason="pool-idle-timeout")
        try:
            set_word(private_folder, "another word")
            write(private_folder, "master.word", "another word\n")
            reloads = len(proxy.events(msg="reloaded"))
            proxy.reload()
            proxy.wait_event(msg="reloaded", count=reloads + 1)

            def is_taken():
                with proxy.client() as other:
                    return other.login("u2", "two:here").status == "OK"

            process.wait_for(is_taken, "server and proxy have the new word", interval=0.2)
            client.cmd('LIST "" INBOX').ok()
        finally:
            set_word(private_folder, MASTER_WORD)


@pytest.mark.threads
def test_the_end_in_the_middle_of_exchanges(judge):
    """Who is asked something is told; passwords that are being hashed, and those in the line, go."""
    proxy = judge(workers=2, limits={"drain_timeout": "1h"})
    asked = [proxy.client() for _ in range(6)]
    for n, client in enumerate(asked):
        client.send("a AUTHENTICATE CRAM-MD5\r\n" if n % 2 else
                    "a AUTHENTICATE SCRAM-SHA-256 " + b64("n,,n=u1,r=abc") + "\r\n")
        assert client.line().startswith(b"+ ")
    hashing = [proxy.client() for _ in range(20)]
    for n, client in enumerate(hashing):
        client.send(f"a LOGIN u{n % 4 + 1} wrong\r\n")
    # Their turn comes when the end has begun: they are asked nothing any more.
    late = [proxy.client() for _ in range(6)]
    for client in late:
        client.send("a AUTHENTICATE SCRAM-SHA-256 " + b64("n,,n=u1,r=abc") + "\r\n")
    proxy.reload()
    proxy.stop()
    for client in asked:
        assert client.line().startswith(b"* BYE ")
    for client in late:
        assert client.rest().splitlines()[-1].startswith(b"* BYE ")


def test_the_masters_new_password_is_for_the_new_server(make_proxy, private_folder):
    """A session of before goes on at the server of before, which may be left for a reason: it is not
    reached safely, or was broken into."""
    with Fake(friendly) as server:
        before = backend(server, private_folder)
        proxy = make_proxy({"mail1": before}, pool={"idle_timeout": "1s"},
                           auth={"password_file": password_file(private_folder)})
        with proxy.client("u2", "two:here") as client:
            client.cmd("NOOP").ok()
            proxy.wait_event(msg="server connection closed", reason="pool-idle-timeout")
            after = backend(server, private_folder, word="for the new one")
            proxy.reload(backends=[{"name": "mail1", **after, "min_version": "1.3"}])
            new = b64(f"u2\0{MASTER}\0for the new one").encode()
            old = b64(f"u2\0{MASTER}\0{MASTER_WORD}").encode()

            def is_renewed():
                with proxy.client() as other:
                    other.login("u2", "two:here").ok()
                    other.cmd('LIST "" INBOX').ok()
                return new in server.received()

            process.wait_for(is_renewed, "the workers have the new word", interval=0.2)
            counts = [server.received().count(word) for word in (new, old)]
            client.cmd('LIST "" INBOX').ok()
            assert [server.received().count(word) for word in (new, old)] == [
                counts[0], counts[1] + 1]


def test_the_masters_new_password_is_for_who_came_before(make_proxy, private_folder):
    """The client has connected before the reload, and signs in behind it."""
    with Fake(friendly) as server:
        proxy = make_proxy({"mail1": backend(server, private_folder)},
                           auth={"password_file": password_file(private_folder)})
        with proxy.client() as client:
            proxy.reload(backends=[{"name": "mail1", **backend(server, private_folder, word="the new one")}])
            new = b64(f"u2\0{MASTER}\0the new one").encode()

            def is_renewed():
                proxy.session("u2", "two:here")
                return new in server.received()

            process.wait_for(is_renewed, "the workers have the new word", interval=0.2)
            old = b64(f"u1\0{MASTER}\0{MASTER_WORD}").encode()
            client.login("u1", "one here").ok()
            client.cmd('LIST "" INBOX').ok()
            assert b64(f"u1\0{MASTER}\0the new one").encode() in server.received()
            assert old not in server.received()
