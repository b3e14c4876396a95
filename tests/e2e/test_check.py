"""`imapmux check`: every mistake is told with its place, nothing is passed over in silence."""

import pytest

from lib.proxy import command, render

BASE = {"listeners": [{"address": "127.0.0.1:10143", "tls": "none"}],
        "backends": [{"name": "mail1", "address": "127.0.0.1:143", "tls": "none"}],
        "users": [{"match": "*", "backend": "mail1"}],
        "admin": {"socket": "", "http": ""}}


def check(tmp_path, text):
    conf = tmp_path / "imapmux.conf"
    conf.write_text(text)
    status, out, err = command("check", "-c", str(conf))
    return status, out, err


def test_check_says_ok(tmp_path):
    status, out, err = check(tmp_path, render(BASE))
    assert status == 0 and "ok" in out, err


def test_check_shows_every_error_with_file_line_and_key(tmp_path):
    text = render(BASE) + ('worker = 2;\npool = { idle_timeot = "5m"; max_idle = "many"; };\n'
                           'limits = { clients = -1; };\ntls = { certificate = "/none.pem"; key = "/none.key"; };\n')
    status, out, err = check(tmp_path, text)
    told = out + err
    assert status == 2
    line = text.splitlines().index("worker = 2;") + 1
    for word in ("imapmux.conf", f":{line}", "worker", "workers", "idle_timeot", "idle_timeout", "max_idle",
                 "clients", "none.pem"):
        assert word in told, (word, told)


@pytest.mark.parametrize("extra, words", [
    ('users = ( { match = "*"; backend = "mail2"; } );', ("mail2", "mail1")),
    ('groups = ( { name = "g"; backends = ( "mail9" ); } );', ("mail9",)),
    ('listeners = ( { address = "10.0.0.1:143"; tls = "none"; } );', ("insecure",)),
    ('listeners = ( { address = "127.0.0.1:143"; tls = "maybe"; } );', ("maybe",)),
    ('listeners = ( { address = "127.0.0.1:99999"; tls = "none"; } );', ("65535",)),
    ('listeners = ( { address = "127.0.0.1:993"; tls = "implicit"; } );', ("certificate",)),
    ('users = ( { regex = "(("; backend = "mail1"; } );', ("regex", "parenthesis")),
    ('users = ( { file = "/no/such/map"; } );', ("/no/such/map",)),
    ('log = { level = "loud"; };', ("loud",)),
    ('workers = "four";', ("workers",)),
    ('pool = { idle_timeout = "5 parsecs"; };', ("idle_timeout", "duration")),
    ('limits = { auth_delay_max = "2d"; };', ("auth_delay_max",)),
])
def test_check_refuses(tmp_path, extra, words):
    key = extra.split(" ", 1)[0]
    settings = {name: value for name, value in BASE.items() if name != key}
    status, out, err = check(tmp_path, render(settings) + extra + "\n")
    assert status == 2, out + err
    for word in words:
        assert word in out + err, out + err


def test_check_tells_what_nobody_uses_without_tls(tmp_path, ca):
    server = BASE["backends"][0]
    for key, value in (("min_version", "1.3"), ("ca", ca.ca), ("server_name", "mail.example.org")):
        status, out, err = check(tmp_path, render({**BASE, "backends": [{**server, key: value}]}))
        assert status == 0 and "ok" in out, err
        assert err.startswith("note: ") and f"backends.{key}" in err and '"mail1"' in err, (key, err)
    # What is written as it would be anyway is no mistake.
    same = {**server, "min_version": "1.2", "ca": "", "server_name": "127.0.0.1", "verify": True}
    assert check(tmp_path, render({**BASE, "backends": [same]})) == (0, "ok\n", "")


def test_check_tells_what_cannot_be_hidden(tmp_path):
    for name in ("IMAP4rev1", "LoginDisabled"):
        status, out, err = check(tmp_path, render({**BASE, "capabilities": {"hide": ["NOTIFY", name]}}))
        assert (status, out) == (0, "ok\n") and err.count("\n") == 1, err
        assert err.startswith("note: ") and "capabilities.hide" in err and name.upper() in err, err


def test_check_tells_of_rules_that_nobody_meets(tmp_path):
    everybody = {"match": "*", "backend": "mail1"}
    status, out, err = check(tmp_path, render({**BASE, "users": [everybody, {"match": "a", "backend": "mail1"}]}))
    assert (status, out) == (0, "ok\n") and "not reached" in err and err.count("\n") == 1, err
    status, out, err = check(tmp_path, render({**BASE, "users": []}))
    assert (status, out) == (0, "ok\n") and "nobody can sign in" in err and err.count("\n") == 1, err


# Each key on a line of its own: what names another line sends the operator to the wrong one.
LONG = """\
listeners = ( {
  address = "127.0.0.1:10143";
} );
tls = {
  certificate = "%(cert)s";
  key = "%(key)s";
  names = ( {
    name = "a.example";
    certificate = "%(cert)s";
    key = "%(key)s";
  } );
};
backends = ( {
  name = "mail1";
  address = "127.0.0.1:143";
  tls = "implicit";
} );
users = ( {
  match = "*";
  backend = "mail1";
} );
admin = {
  http = "";
  socket = "";
};
"""


@pytest.mark.parametrize("where, old, new, key", [
    ("tls", 'key = "%(key)s";', 'key = "%(empty)s";', "tls.key"),
    ("a.example", 'certificate = "%(cert)s";', 'certificate = "%(empty)s";', "tls.names.certificate"),
    ("a.example", 'key = "%(key)s";', 'key = "%(empty)s";', "tls.names.key"),
    ("a.example", "};", 'ciphers = "NONE";\n};', "tls.ciphers"),
    ("a.example", "};", 'ciphersuites = "NONE";\n};', "tls.ciphersuites"),
    ("a.example", "};", 'ticket_key_file = "%(cert)s";\n};', "tls.ticket_key_file"),
    ("a.example", "};", 'client_ca = "%(key)s";\nclient_auth = "optional";\n};', "tls.client_ca"),
    ("a.example", "};", 'client_auth = "require";\n};', "tls.client_ca"),
    ("mail1", "} );", 'ca = "%(key)s";\n} );', "backends.ca"),
    ("mail1", "} );", 'forward = ( "x" );\n} );', "backends.forward"),
    ("mail1", "} );", 'master_user = "m"; master_password_file = "%(empty)s";\n} );', "backends.master_password_file"),
    ("users", 'match = "*";', 'regex = "(";', "users.regex"),
    ("users", 'match = "*";', 'match = "' + "x" * 4000 + '";', "users.match"),
    ("users", "} );", 'login = "%%x";\n} );', "users.login"),
    ("users", 'match = "*";\n  backend = "mail1";', 'file = "/no/such/map";', "users.file"),
], ids=lambda text: text if "." in text and " " not in text else "")
def test_an_error_names_the_line_of_its_key(tmp_path, certificate, where, old, new, key):
    (tmp_path / "empty").write_text("")
    head, tail = LONG.split(where, 1)
    assert old in tail
    text = (head + where + tail.replace(old, new, 1)) % {
        "cert": certificate[0], "key": certificate[1], "empty": tmp_path / "empty"}
    name = key.rsplit(".", 1)[1] if "require" not in new else "client_auth"
    line = next(number for number, row in enumerate(text.splitlines(), 1)
                if number > text[:text.index(where)].count("\n") + 1 and f"{name} = " in row)
    status, out, err = check(tmp_path, text)
    told = [row for row in err.splitlines() if not row.startswith("time=")]
    assert (status, out, len(told)) == (2, "", 1), err
    assert told[0].startswith(f"{tmp_path}/imapmux.conf:{line}: {key}: "), (line, told)
