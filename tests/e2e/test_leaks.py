"""Every way to dirty a session, before every server: what the next one sees is a fresh session.

Two tables: states that a session can leave on its connection, and streams that make a careless relay
and a server disagree. A way that is not in them is not tested.
"""

import typing

import pytest

from lib import leak, process
from lib.mail import message

SERVERS = ("dovecot", "cyrus", "courier")


class Way(typing.NamedTuple):
    """A way to dirty a session.

    steps: commands, raw bytes, functions of a client and the bench.
    pool: what stays parked, one word for all or one for each server: "kept" for anybody, "closed"
        nothing, else the class whose sessions may have it.
    sticks: servers where it outlives the end of the mailbox, so that a pool that only leaves the mailbox
        would leak it. None: not asked.
    """

    name: str
    steps: tuple
    pool: str
    sticks: str
    leave: str
    is_stranger: bool

    def kept(self, kind):
        words = self.pool.split()
        word = words[SERVERS.index(kind)] if len(words) > 1 else words[0]
        return [] if word == "closed" else [word.replace("+", " ")]


def way(name, *steps, pool="kept", sticks=None, leave="logout", is_stranger=False):
    return Way(name, steps, pool, sticks, leave, is_stranger)


def half_append(client, _):
    """A literal that does not end."""
    client.start("APPEND INBOX {500}")
    client.challenge()
    client.send(b"twenty bytes of it  ")


def idle(client, _):
    client.idle()


def idle_and_done(client, _):
    client.done(client.idle())


def send(data):
    return lambda client, _: client.send(data)


def literal(before, data, after=b""):
    """A command with a synchronising literal; the server may refuse it."""
    return lambda client, _: client.literal(before, data, after)


def repeat(count, command):
    return lambda client, _: [client.cmd(command) for _ in range(count)]


def sign_in(*parts):
    """Each part but the first when the server has asked for it."""
    def step(client, _):
        client.send(parts[0])
        for part in parts[1:]:
            client.challenge()
            client.send(part)
        client.until("x")
    return step


def others_changes(_, bench):
    """New mail and an expunge, of which this session has not been told."""
    bench.other.append(message(8)).ok()
    bench.other.cmd("SELECT INBOX").ok()
    bench.other.cmd("STORE 1 +FLAGS.SILENT (\\Deleted)").ok()
    bench.other.cmd("CLOSE").ok()


def erase_doomed(_, bench):
    bench.erase(bench.names.doomed)


def erase_braces(_, bench):
    bench.erase(bench.names.braces)


def end_of_server(client, bench):
    bench.end_of_server()
    client.rest()


FETCHES = b"".join(b"f%d FETCH %d BODY[]\r\n" % (n, n % 3 + 1) for n in range(6))
ODD = (b'Subject: he said "hi {5} (({3}\r\nFrom: "a\\"b {9}" <x@y>\r\n\r\na1 OK done\r\n'
       b"* BYE\r\n{3}\r\n")
BINARY = (b"Subject: b\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
          b"Content-Transfer-Encoding: base64\r\n\r\nAAEC/w0KezV9DQo=\r\n")
FORGED = b"x\r\n* OK [CLOSED] y"

ENABLED = {"pool": "CONDSTORE CONDSTORE kept", "sticks": "dovecot cyrus"}
QRESYNC = {"pool": "CONDSTORE+QRESYNC CONDSTORE+QRESYNC kept", "sticks": "dovecot cyrus"}
# Courier says OK to ENABLE and has nothing; a use of what it does not list is not trusted.
USED = {"pool": "CONDSTORE CONDSTORE closed", "sticks": "dovecot cyrus"}
USED_IN_DOVECOT = {**USED, "sticks": "dovecot"}

# The rows of the table of states, in its order, behind what is clean.
STATES = [
    way("clean-commands", "CAPABILITY", "NOOP", 'LIST "" *', 'LSUB "" *', 'XLIST "" *', "NAMESPACE",
        "STATUS INBOX (MESSAGES)", "SEARCH ALL", "SUBSCRIBE SIDE", "UNSUBSCRIBE SIDE", idle_and_done),
    way("clean-commands-selected", "SELECT INBOX", "FETCH 1 FLAGS", "STORE 1 +FLAGS (\\Seen)", "COPY 1 SIDE",
        literal("APPEND SIDE ", message(1)), "CHECK", "SEARCH ALL", "SORT (SUBJECT) UTF-8 ALL", "NOOP",
        "THREAD REFERENCES UTF-8 ALL", "ESEARCH ALL", "MOVE 1 SIDE", "EXPUNGE", idle_and_done),
    way("clean-uid-commands", "SELECT INBOX", "UID FETCH 1:* FLAGS", "UID STORE 1:* FLAGS ()",
        "UID COPY 1:* SIDE", "UID SEARCH ALL", "UID SORT (SUBJECT) UTF-8 ALL", "UID EXPUNGE 1:*",
        "UID THREAD REFERENCES UTF-8 ALL", "UID MOVE 1:* SIDE", "REPLACE 1 INBOX {1+}\r\nx"),
    # selected mailbox
    way("select", "SELECT INBOX", sticks=""),
    way("examine", "EXAMINE INBOX"),
    way("select-close", "SELECT INBOX", leave="close"),
    way("select-kill", "SELECT INBOX", leave="kill"),
    way("select-shut", "SELECT INBOX", leave="shut"),
    way("select-twice", "SELECT INBOX", "SELECT SCRIPT"),
    way("select-lower-case", "select inbox"),
    way("select-quoted", 'SELECT "SCRIPT"'),
    way("select-escaped", 'SELECT "IN\\\\BOX"'),
    way("select-utf7", "SELECT UMLAUT"),
    way("select-literal", b"x SELECT {5+}\r\nINBOX\r\n", pool="kept kept closed"),
    way("select-no", "SELECT nonexistent"),
    way("select-then-no", "SELECT INBOX", "SELECT nonexistent", sticks=""),
    way("select-then-bad", "SELECT INBOX", "SELECT", pool="closed kept closed"),
    way("select-then-bad-parameter", "SELECT INBOX", "SELECT INBOX (X"),
    way("select-bad", "SELECT", pool="closed"),
    way("select-then-empty-name", "SELECT INBOX", 'SELECT ""'),
    way("select-close-command", "SELECT INBOX", "CLOSE"),
    way("select-unselect", "SELECT INBOX", "UNSELECT"),
    way("selects-pipelined", b"x SELECT INBOX\r\ny CLOSE\r\nw SELECT INBOX\r\n", pool="kept kept closed"),
    way("selected-mailbox-deleted", "CREATE DOOMED", "SELECT DOOMED", erase_doomed, "NOOP", pool="closed"),
    way("others-changes-untold", "SELECT INBOX", others_changes),
    # \Deleted messages
    way("deleted", "SELECT INBOX", "STORE 1 +FLAGS (\\Deleted)"),
    way("deleted-kill", "SELECT INBOX", "STORE 1 +FLAGS (\\Deleted)", leave="kill"),
    # UNSELECT when nothing is selected
    way("unselect", "UNSELECT"),
    way("close", "CLOSE"),
    # ENABLE
    way("enable-condstore", "ENABLE CONDSTORE", **ENABLED),
    way("enable-condstore-selected", "SELECT INBOX", "ENABLE CONDSTORE", **ENABLED),
    way("enable-qresync", "ENABLE QRESYNC", **QRESYNC),
    way("enable-qresync-used", "ENABLE QRESYNC", "SELECT INBOX (QRESYNC (1 1))",
        pool="CONDSTORE+QRESYNC CONDSTORE+QRESYNC closed", sticks="dovecot cyrus"),
    way("enable-both", "ENABLE CONDSTORE QRESYNC", **QRESYNC),
    way("enable-lower-case", "enable qresync", **QRESYNC),
    way("enable-twice", "ENABLE CONDSTORE", "ENABLE CONDSTORE", **ENABLED),
    way("enable-more", "ENABLE CONDSTORE", "ENABLE QRESYNC", **QRESYNC),
    way("enable-pipelined", b"x ENABLE QRESYNC\r\ny SELECT INBOX\r\n", **QRESYNC),
    way("enable-utf8", "ENABLE UTF8=ACCEPT", pool="kept kept UTF8=ACCEPT", sticks="courier"),
    way("enable-utf8-used", "ENABLE UTF8=ACCEPT", 'LIST "" *', pool="kept kept UTF8=ACCEPT", sticks="courier"),
    way("enable-imap4rev2", "ENABLE IMAP4rev2", sticks=""),
    way("enable-uidonly", "ENABLE UIDONLY", sticks=""),
    way("enable-metadata", "ENABLE METADATA", sticks=""),
    way("enable-unknown", "ENABLE X", sticks=""),
    way("enable-nothing", "ENABLE", pool="closed"),
    way("enable-odd", "ENABLE (QRESYNC)", pool="closed"),
    way("enable-quoted", 'ENABLE "QRESYNC"', pool="closed"),
    way("enable-literal", b"x ENABLE {7+}\r\nQRESYNC\r\n", pool="closed"),
    # implicit CONDSTORE
    way("select-condstore", "SELECT INBOX (CONDSTORE)", **USED),
    way("examine-condstore", "EXAMINE INBOX (CONDSTORE)", **USED),
    way("select-condstore-lower-case", "select inbox (condstore)", **USED),
    way("fetch-modseq", "SELECT INBOX", "FETCH 1 (MODSEQ)", **USED),
    way("fetch-modseq-no-such-message", "SELECT INBOX", "UID FETCH 999999 (MODSEQ)", **USED),
    way("fetch-changedsince", "SELECT INBOX", "FETCH 1 FLAGS (CHANGEDSINCE 1)", **USED),
    way("uid-fetch-changedsince", "SELECT INBOX", "UID FETCH 1:* FLAGS (CHANGEDSINCE 1)", **USED),
    way("store-unchangedsince", "SELECT INBOX", "STORE 1 (UNCHANGEDSINCE 999999) +FLAGS (\\Seen)", **USED),
    way("search-modseq", "SELECT INBOX", "SEARCH MODSEQ 1", **USED_IN_DOVECOT),
    way("sort-modseq", "SELECT INBOX", "SORT (SUBJECT) UTF-8 MODSEQ 1", **USED_IN_DOVECOT),
    way("status-highestmodseq", "STATUS INBOX (HIGHESTMODSEQ)", **USED_IN_DOVECOT),
    way("list-status-highestmodseq", 'LIST "" * RETURN (STATUS (HIGHESTMODSEQ))', **USED_IN_DOVECOT),
    way("status-highestmodseq-behind-literal", b"x STATUS {5+}\r\nINBOX (HIGHESTMODSEQ)\r\n", **USED_IN_DOVECOT),
    way("fetch-changedsince-vanished", "SELECT INBOX", "UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)", **USED_IN_DOVECOT),
    # No server takes a literal where these words stand, so that one cannot hide them.
    way("select-condstore-in-literal", "SELECT INBOX", b"x SELECT INBOX ({9+}\r\nCONDSTORE)\r\n",
        pool="closed kept closed", sticks=""),
    *(way(f"{name}-in-literal", "SELECT INBOX", stream, sticks="") for name, stream in (
        ("fetch-modseq", b"x FETCH 1 ({6+}\r\nMODSEQ)\r\n"),
        ("fetch-changedsince", b"x FETCH 1 FLAGS ({12+}\r\nCHANGEDSINCE 1)\r\n"),
        ("store-unchangedsince", b"x STORE 1 ({14+}\r\nUNCHANGEDSINCE 999999) +FLAGS (\\Seen)\r\n"),
        ("search-modseq", b"x SEARCH {6+}\r\nMODSEQ 1\r\n"),
        ("sort-modseq", b"x SORT (SUBJECT) UTF-8 {6+}\r\nMODSEQ 1\r\n"),
        ("status-highestmodseq", b"x STATUS INBOX ({13+}\r\nHIGHESTMODSEQ)\r\n"),
        ("list-status-highestmodseq", b'x LIST "" * RETURN (STATUS ({13+}\r\nHIGHESTMODSEQ))\r\n'),
        ("search-save", b"x SEARCH RETURN ({4+}\r\nSAVE) ALL\r\n"))),
    way("select-qresync-not-enabled", "SELECT INBOX (QRESYNC (1 1))", pool="closed", sticks=""),
    way("condstore-word-harmless", "STATUS condstore (MESSAGES)", pool="CONDSTORE CONDSTORE closed", sticks=""),
    # SEARCHRES, CONTEXT
    way("search-save", "SELECT INBOX", "SEARCH RETURN (SAVE) ALL"),
    way("search-save-used", "SELECT INBOX", "SEARCH RETURN (SAVE) ALL", "FETCH $ UID", sticks=""),
    way("search-update", "SELECT INBOX", "SEARCH RETURN (UPDATE) ALL"),
    way("search-update-pending", "SELECT INBOX", "SEARCH RETURN (UPDATE) ALL", others_changes, sticks=""),
    way("sort-update", "SELECT INBOX", "SORT RETURN (UPDATE) (SUBJECT) UTF-8 ALL", sticks=""),
    way("cancelupdate", "SELECT INBOX", 'CANCELUPDATE "x"', pool="closed"),
    # NOTIFY
    way("notify-set", "NOTIFY SET (PERSONAL (MessageNew MessageExpunge))", pool="closed", sticks="dovecot"),
    way("notify-selected", "SELECT INBOX", "NOTIFY SET (SELECTED (MessageNew MessageExpunge))",
        pool="closed", sticks="dovecot"),
    way("notify-none", "NOTIFY SET (PERSONAL (MessageNew MessageExpunge))", "NOTIFY NONE", pool="closed",
        sticks="dovecot"),
    # COMPRESS, LANGUAGE, COMPARATOR, what belongs before sign-in
    way("compress", "COMPRESS DEFLATE", sticks="cyrus"),
    way("language", "LANGUAGE de", pool="closed"),
    way("comparator", "COMPARATOR i;octet", pool="closed"),
    way("starttls", "STARTTLS"),
    way("login", "LOGIN u1 secret-of-u1"),
    way("authenticate", "AUTHENTICATE PLAIN AHUxAHNlY3JldC1vZi11MQ=="),
    way("authenticate-in-steps", b"x AUTHENTICATE PLAIN\r\nAHUxAHNlY3JldC1vZi11MQ==\r\n"),
    way("unauthenticate", "UNAUTHENTICATE"),
    way("x-unauthenticate", "X-UNAUTHENTICATE"),
    # ID
    way("id", 'ID ("name" "somebody")'),
    way("id-twice", "ID NIL", 'ID ("name" "another")'),
    way("id-address", 'ID ("x-originating-ip" "192.0.2.1")'),
    # state of the server, not of the connection
    way("genurlauth", 'GENURLAUTH "imap://u14@localhost/INBOX/;UID=1;URLAUTH=anonymous" INTERNAL'),
    way("urlfetch", 'URLFETCH "imap://u14@localhost/INBOX/;UID=1"'),
    way("resetkey", "RESETKEY"),
    way("getquota", 'GETQUOTA ""', "GETQUOTAROOT INBOX"),
    way("setquota", 'SETQUOTA "" (STORAGE 100)', pool="kept closed kept"),
    way("acl", "SETACL SIDE u1 lrs", "GETACL SIDE", "MYRIGHTS SIDE", "LISTRIGHTS SIDE u1", "DELETEACL SIDE u1"),
    way("rights-given-up", "CREATE DOOMED", "SETACL DOOMED u14 c", erase_doomed),
    way("metadata", 'SETMETADATA SIDE (/private/comment "x")', "GETMETADATA SIDE /private/comment"),
    way("annotation", 'SETANNOTATION SIDE "/comment" ("value.priv" "x")',
        'GETANNOTATION SIDE "/comment" "value.priv"'),
    way("subscribe", "SUBSCRIBE SIDE"),
    way("unsubscribe", "UNSUBSCRIBE SIDE"),
    way("rename", "CREATE DOOMED2", "RENAME DOOMED2 DOOMED", erase_doomed),
    # BAD counter
    way("bad-nine", "SELECT INBOX", repeat(9, "FETCH"), sticks="courier"),
    way("bad-nineteen", "SELECT INBOX", repeat(19, "FETCH"), pool="kept kept closed"),
    way("bad-twenty", "SELECT INBOX", repeat(20, "FETCH"), pool="closed kept closed"),
    # commands in flight, partial literal, IDLE
    way("fetches-in-flight-close", "SELECT INBOX", send(FETCHES), leave="close"),
    way("fetches-in-flight-kill", "SELECT INBOX", send(FETCHES), leave="kill"),
    way("fetches-in-flight-shut", "SELECT INBOX", send(FETCHES), leave="shut"),
    way("fetches-in-flight-logout", "SELECT INBOX", send(FETCHES)),
    way("literal-half-close", half_append, leave="close", pool="closed"),
    way("literal-half-kill", half_append, leave="kill", pool="closed"),
    way("literal-half-shut", half_append, leave="shut", pool="closed"),
    way("literal-nonsync-half", send(b"x APPEND INBOX {500+}\r\ntwenty"), leave="close", pool="closed"),
    way("literal-asked-for", send(b"x APPEND INBOX {500}\r\n"), leave="close", pool="closed"),
    way("literal-short-of-line-end", send(b"x APPEND INBOX {5+}\r\nhello"), leave="close", pool="closed"),
    way("line-half", send(b"x SELECT INB"), leave="close"),
    way("line-half-behind-select", "SELECT INBOX", send(b"x FETCH 1:* FL"), leave="kill"),
    way("idle-close", "SELECT INBOX", idle, leave="close"),
    way("idle-kill", "SELECT INBOX", idle, leave="kill"),
    way("idle-shut", "SELECT INBOX", idle, leave="shut"),
    way("idle-unselected", idle, leave="close"),
    way("idle-logout", "SELECT INBOX", idle, send(b"x LOGOUT\r\n"), leave="close", pool="closed"),
    way("idle-other-line", "SELECT INBOX", idle, send(b"hello\r\n"), leave="close", pool="closed"),
    way("idle-asked-for", "SELECT INBOX", send(b"x IDLE\r\n"), leave="close"),
    way("idle-done-half", "SELECT INBOX", idle, send(b"DON"), leave="close"),
    way("select-in-flight", send(b"x SELECT INBOX\r\n"), leave="kill"),
    way("enable-in-flight", send(b"x ENABLE QRESYNC\r\n"), leave="close", pool=QRESYNC["pool"]),
    # whatever is not known to be clean
    way("rlist", 'RLIST "" *', pool="closed"),
    way("unknown-command", "XUNKNOWN", pool="closed"),
    way("unknown-uid-command", "SELECT INBOX", "UID XUNKNOWN 1", pool="closed"),
]

# The rows of the table of nasty streams, in its order; tests of smuggled commands have more of them.
STREAMS = [
    way("bad-ends-in-literal", "SELECT INBOX", literal("FETCH 1 ", b"123456789")),
    way("no-ends-in-literal", literal("COMPRESS ", b"DEFLATE")),
    # Servers repeat strings in their errors, line ends and all: Dovecot says here that the mailbox is left.
    way("answer-forged", "SELECT INBOX", literal("SEARCH ", FORGED), pool="closed kept closed"),
    way("answer-forged-by-url", "SELECT INBOX", literal("APPEND INBOX CATENATE (URL ", FORGED, b")"),
        pool="closed closed kept"),
    way("answer-forged-by-encoded-url", "SELECT INBOX",
        'APPEND INBOX CATENATE (URL "/INBOX%0D%0A*%20OK%20%5BCLOSED%5D%20y/;UID=1")', pool="closed"),
    way("answer-forged-by-name", "SELECT INBOX", 'DELETE "x&AA0ACg-* OK [CLOSED] y"', pool="closed"),
    # Cyrus takes what SETQUOTA leaves of its line for a command, and GETMETADATA the line behind it for its own: b
    # is answered, but not the one that was sent.
    way("select-unseen", b"a SETQUOTA INBOX b SELECT INBOX\r\nc GETMETADATA x \"y\" z w\r\nb NOOP\r\n",
        pool="kept closed kept"),
    way("name-with-braces", 'CREATE "BRACES"', 'LIST "" *', 'STATUS "BRACES" (MESSAGES)', erase_braces),
    way("literals-in-literals", literal("APPEND INBOX ", ODD), "SELECT INBOX",
        "FETCH 4 (ENVELOPE BODY.PEEK[])"),
    way("binary", literal("APPEND INBOX ", BINARY), "SELECT INBOX", "FETCH 4 BINARY.PEEK[1]"),
    way("empty-literal", "SELECT INBOX", "FETCH 1 BODY.PEEK[]<100000.10>"),
    way("smuggled-enable", b"x NOOP {18+}\r\nb ENABLE QRESYNC\r\n\r\n", pool="kept kept closed"),
    way("smuggled-select", b"x NOOP {16+}\r\nb SELECT INBOX\r\n\r\n", pool="kept kept closed"),
    way("smuggled-idle", b"x NOOP {8+}\r\nb IDLE\r\n\r\n", pool="kept kept closed"),
    way("noop-with-literal", literal("NOOP ", b"123456789")),
    way("header-inside-line", b'x LIST "" {5}x\r\n'),
    way("append-minus-one", b"x APPEND INBOX {-1}\r\n"),
    way("setquota-of-nothing", 'SETQUOTA "q" (STORAGE 10)', pool="kept closed kept"),
    way("tag-star", b"* NOOP\r\n"),
    way("tag-plus", b"+ NOOP\r\n"),
    way("tag-in-flight", b"x NOOP\r\nx NOOP\r\n"),
    # {4294967295} and larger ones: test_smuggling.py
    way("leading-zeros", b"x APPEND INBOX {009+}\r\na: b\r\n\r\nc\r\n"),
    *(way(f"no-header-{header}", f"x CREATE {header}\r\n".encode())
      for header in ("{9++}", "{9-}", "{9 }", "{ 9+}", "{+9}", "{9+} ", "{}", "{+}", "{1 1}", "{0x10}")),
    way("header-in-atom", b"x CREATE foo{9+}\r\n"),
    way("header-in-open-quote", b'x CREATE "x{9+}\r\n'),
    way("literal8-outside-append", b"x CREATE ~{9+}\r\n123456789\r\n"),
    way("login-literals", sign_in(b"x LOGIN {3}\r\n", b"u14 {13}\r\n", b"secret-of-u14\r\n"), is_stranger=True),
    way("login-nonsync-literals", sign_in(b"x LOGIN {3+}\r\nu14 {13+}\r\nsecret-of-u14\r\n"), is_stranger=True),
    way("login-quotes", sign_in(b'x LOGIN "u14" "secret-of-u14"\r\n'), is_stranger=True),
    way("login-atoms", sign_in(b"x login u14 secret-of-u14\r\n"), is_stranger=True),
    way("login-escape-of-nothing", sign_in(b'x LOGIN "u\\14" secret-of-u14\r\n'), is_stranger=True,
        pool="closed"),
    way("login-nul", sign_in(b"x LOGIN {5+}\r\nu14\0x {13+}\r\nsecret-of-u14\r\n"), is_stranger=True,
        pool="closed"),
    way("plain", sign_in(b"x AUTHENTICATE PLAIN AHUxNABzZWNyZXQtb2YtdTE0\r\n"), is_stranger=True),
    way("plain-pipelined", b"x AUTHENTICATE PLAIN AHUxNABzZWNyZXQtb2YtdTE0\r\ny SELECT INBOX\r\n",
        is_stranger=True),
    way("login-pipelined", b"x LOGIN u14 secret-of-u14\r\ny SELECT INBOX\r\n", is_stranger=True),
    way("plain-in-steps", sign_in(b"x AUTHENTICATE PLAIN\r\n", b"AHUxNABzZWNyZXQtb2YtdTE0\r\n"),
        is_stranger=True),
    way("plain-empty", sign_in(b"x AUTHENTICATE PLAIN =\r\n"), is_stranger=True, pool="closed"),
    way("plain-cancelled", sign_in(b"x AUTHENTICATE PLAIN\r\n", b"*\r\n"), is_stranger=True, pool="closed"),
    way("login-mechanism", sign_in(b"x AUTHENTICATE LOGIN\r\n", b"dTE0\r\n", b"c2VjcmV0LW9mLXUxNA==\r\n"),
        is_stranger=True),
    way("line-feed-alone", b"x NOOP\ny SELECT INBOX\n"),
    way("carriage-return-alone", b"x NOOP\ry SELECT INBOX\r\n"),
    way("nul", b"x NOOP\0\r\n"),
    way("long-line", b"x NOOP " + b"y" * 70000 + b"\r\n"),
    way("long-set", "SELECT INBOX", b"x FETCH " + b"1," * 30000 + b"1 FLAGS\r\n", pool="kept kept closed"),
    way("idle-with-argument", b"x IDLE X\r\nDONE\r\n"),
    way("idle-with-literal", b"x IDLE {9+}\r\n123456789\r\nDONE\r\n"),
    way("done-glued", "SELECT INBOX", b"x IDLE\r\nDONE\r\ny FETCH 1 FLAGS\r\n"),
    way("done-lower-case", "SELECT INBOX", b"x IDLE\r\ndone\r\n"),
    way("end-without-bye", "SELECT INBOX", end_of_server, pool="closed"),
    way("logout-in-flight", "SELECT INBOX", send(FETCHES + b"x LOGOUT\r\n"), leave="rest"),
    way("pipelined", "SELECT INBOX", b"A1 FETCH 1 BODY[]\r\nA2 NOOP\r\nA3 FETCH 2 BODY[]\r\n"),
    way("empty-lines", b"\r\n\r\n\n"),
]


@pytest.fixture(scope="module")
def narrow_benches():
    """Like benches; a user has one connection."""
    made = {}

    def get(server):
        if server not in made:
            made[server] = leak.Bench(server, pool={"max_per_user": 1, "queue_timeout": "20s"})
        return made[server]

    yield get
    for bench in made.values():
        bench.close()


@pytest.fixture
def narrow_bench(narrow_benches, server):
    return narrow_benches(server)


def marked(ways):
    """Those that a race could decide otherwise run under ThreadSanitizer, too."""
    return [pytest.param(one, id=one.name, marks=[pytest.mark.threads] if one.leave != "logout" else [])
            for one in ways]


def test_every_way_has_a_name_of_its_own():
    names = [one.name for one in STATES + STREAMS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("dirty", marked(STATES + STREAMS))
def test_the_next_session_is_fresh(bench, dirty):
    kept = bench.play(dirty.steps, dirty.leave, dirty.is_stranger)
    assert kept == dirty.kept(bench.server.kind), bench.proxy.text()[-2000:]
    bench.assert_next_is_fresh()


@pytest.mark.parametrize("dirty", [pytest.param(one, id=one.name) for one in STATES if one.sticks is not None])
def test_what_a_careless_pool_would_leak(bench, dirty):
    """Without any proxy: the script sees what the test above says does not get through."""
    assert bench.sticks(dirty.steps) == (bench.server.kind in dirty.sticks)


@pytest.mark.parametrize("dirty", [pytest.param(one, id=one.name) for one in STATES if one.sticks])
def test_the_same_behind_a_session_that_was_lent_its_connection(bench, dirty):
    """It signs in without one, and gets a clean one, on which somebody has been, for its command."""
    assert bench.play(dirty.steps, dirty.leave, is_lent=True) == dirty.kept(bench.server.kind)
    bench.assert_next_is_fresh()


@pytest.mark.parametrize("command", [
    "NOOP", "STATUS INBOX (HIGHESTMODSEQ)", 'LIST "" * RETURN (STATUS (HIGHESTMODSEQ))', "ENABLE CONDSTORE",
    "ENABLE QRESYNC", "ENABLE UTF8=ACCEPT", "STATUS INBOX (MESSAGES)"])
def test_sessions_in_turns_on_one_connection(narrow_bench, command):
    """Between two commands of one session, another has the only connection. Neither sees the other."""
    bench = narrow_bench
    bench.reset()
    with bench.client() as client:
        client.cmd(command)
        bench.assert_next_is_fresh()
        client.restart_tags(2)
        got = bench.run(client)
        # RFC 7162 section 3.1: who uses HIGHESTMODSEQ has enabled CONDSTORE. Cyrus does not always take it
        # for that, but a session that changes its connection has what any server may give.
        is_use = "HIGHESTMODSEQ" in command and bench.server.kind == "cyrus"
        expected, _ = bench.fresh(first="ENABLE CONDSTORE" if is_use else command)
        leak.assert_equal(expected, got)
        client.logout()
    bench.assert_next_is_fresh()


@pytest.mark.parametrize("words", ["CONDSTORE", "QRESYNC", "QRESYNC CONDSTORE", "UTF8=ACCEPT"])
def test_who_enables_the_same_sees_a_fresh_session_with_it(bench, words):
    """Of the class if the server knows it, whose ENABLED response is then the proxy's own."""
    enable = f"ENABLE {words}"
    kept = bench.play([enable, "SELECT INBOX", "NOOP"])
    expected, theirs = bench.fresh(first=enable)
    mark = bench.server.mark()
    got, ours = bench.next(first=enable)
    assert bench.server.logins(leak.USER, mark) == []
    for reply in (theirs, ours):
        reply.ok()
    told = enabled(theirs) | ({b"CONDSTORE"} if b"QRESYNC" in enabled(theirs) else set())
    assert enabled(ours) == told  # Dovecot leaves out what QRESYNC implies
    leak.assert_equal(expected, got)
    assert bench.at_rest() == kept
    bench.assert_next_is_fresh()


def enabled(reply):
    """The words of ENABLED; Cyrus and Dovecot are silent where there are none."""
    lines = reply.find("* ENABLED")
    return set(b" ".join(lines).split()[2:])


def test_what_comes_in_clear_behind_starttls_ends_there(bench, tls):
    """And a session in TLS is lent what a session in TLS has left."""
    password, box = bench.server.users[leak.USER], bench.names.smuggled
    bench.reset()
    with bench.proxy.client(kind="starttls") as client:
        client.send(f"x STARTTLS\r\ny LOGIN {leak.USER} {password}\r\nw CREATE {box}\r\n")
        assert b"\ny " not in client.rest()
    assert bench.other.cmd(f"STATUS {box} (MESSAGES)").status != "OK"
    expected, _ = bench.fresh()
    for _ in range(2):
        with bench.proxy.client(kind="starttls") as client:
            client.starttls(tls)
            client.login(leak.USER, password).ok()
            client.restart_tags(1)
            leak.assert_equal(expected, bench.run(client))
            client.logout()
        assert bench.at_rest() == ["kept"]


def test_a_parked_connection_that_the_server_ends_is_dropped(bench):
    assert bench.play(["SELECT INBOX"]) == ["kept"]
    bench.end_of_server()
    process.wait_for(lambda: bench.at_rest() == [], "dropped")
    bench.assert_next_is_fresh()
