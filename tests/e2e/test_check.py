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
