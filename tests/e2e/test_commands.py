"""imapmux check and imapmux route: what operators and scripts read."""

import os
import subprocess

import pytest

from lib.proxy import binary, command

TOP = """\
workers = 4;
listeners = ( { address = "127.0.0.1:10143"; } );
backends = (
  { name = "mail1"; address = "127.0.0.1:2143"; },
  { name = "mail2"; address = "mail2.internal:993"; tls = "implicit"; }
);
groups = ( { name = "cluster"; backends = ( "mail1", "mail2" ); } );
"""
RULES = """\
users = (
  { match = "alice@example.org"; backend = "mail1"; },
  { match = "*@example.org"; backend = "mail2"; login = "%%n"; },
  { regex = "^(.+)@old\\\\.example$"; group = "cluster"; login = "$1"; },
  { file = "%s"; }
);
"""


@pytest.fixture(name="write")
def write_fixture(tmp_path):
    def write(text, name="imapmux.conf"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)
    return write


@pytest.fixture(name="conf")
def conf_fixture(write):
    users = write("# who lives elsewhere\ncarol@example.net\tmail2\tcarol.c\n\ndave cluster\n", "users.map")
    return write(TOP + RULES % users)


def test_check_says_ok(conf):
    assert command("check", "-c", conf) == (0, "ok\n", "")


def test_the_sample_is_ok():
    here = os.path.dirname(__file__)
    assert command("check", "-c", os.path.join(here, "../../etc/imapmux.conf")) == (0, "ok\n", "")


def test_check_shows_every_error(write):
    users = write("alice mail3\nbob\n", "users.map")
    key = write("no key", "key.pem")
    conf = write("wrokers = 1;\n" + TOP + f"""\
pool = {{ idle_timout = 5; }};
limits = {{ clients = "many"; line = 1; }};
tls = {{ certificate = "/no/cert.pem"; key = "{key}"; }};
users = ( {{ match = "*"; backend = "mial1"; }}, {{ regex = "("; backend = "mail1"; }},
{{ file = "{users}"; }} );
""")
    status, out, err = command("check", "-c", conf)
    assert (status, out) == (2, "")
    wanted = [
        f"{conf}:1: wrokers: unknown key (did you mean \"workers\"?)",
        f"{conf}:9: pool.idle_timout: unknown key (did you mean \"idle_timeout\"?)",
        f"{conf}:10: limits.clients: must be an integer",
        f"{conf}:10: limits.line: out of bounds: 256 to 16m",
        f"{conf}:12: users.backend: unknown backend \"mial1\" (did you mean \"mail1\"?)",
        f"{conf}:11: tls.certificate: cannot read /no/cert.pem: No such file or directory",
        f"{conf}:12: users.regex: missing closing parenthesis (at byte 1)",
        f"{users}:1: unknown backend or group \"mail3\" (did you mean \"mail1\"?)",
        f"{users}:2: not of the form: user TAB backend-or-group [TAB login]",
    ]
    assert err.splitlines() == wanted
    # A start tells the same.
    status, out, err = command("-c", conf)
    assert (status, out) == (2, "")
    for line in wanted:
        assert line in err or line.replace('"', '\\"') in err


def test_check_looks_into_certificates(write):
    cert = write("no certificate", "cert.pem")
    conf = write(TOP + f'tls = {{\ncertificate = "{cert}"; key = "{cert}"; }};\n')
    status, out, err = command("check", "-c", conf)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1 and err.startswith(f"{conf}:") and cert in err


def test_check_of_a_file_that_cannot_be_parsed(write):
    conf = write("workers = 1;\nlog = { level = ; };\n")
    assert command("check", "-c", conf) == (2, "", f"{conf}:2: syntax error at or before: log = {{ level = ; }};\n")
    status, out, err = command("check", "-c", "/no/such/file")
    assert (status, out) == (2, "") and "/no/such/file" in err


def route(conf, user):
    status, out, err = command("route", "-c", conf, user)
    assert (status, err) == (0, "")
    return dict(line.split(": ", 1) for line in out.splitlines())


def test_route_tells_rule_backend_login_worker(conf):
    told = route(conf, "alice@example.org")
    assert told["rule"] == f'{conf}:9: match = "alice@example.org"; backend = "mail1"'
    assert told["backend"] == "mail1 127.0.0.1:2143"
    assert told["login"] == "alice@example.org"
    number, of, count = told["worker"].split()
    assert 0 <= int(number) < 4 and (of, count) == ("of", "4")
    assert route(conf, "ALICE@example.org")["worker"] == told["worker"]

    told = route(conf, "bob@example.org")
    assert told["rule"] == f'{conf}:10: match = "*@example.org"; backend = "mail2"; login = "%n"'
    assert (told["backend"], told["login"]) == ("mail2 mail2.internal:993", "bob")

    told = route(conf, "Bob@old.example")
    assert told["rule"] == (f'{conf}:11: regex = "^(.+)@old\\.example$"; group = "cluster"; '
                            'login = "$1"')
    assert told["backend"].split()[0] in ("mail1", "mail2") and told["login"] == "Bob"


def test_route_through_a_map_file(conf):
    users = os.path.join(os.path.dirname(conf), "users.map")
    told = route(conf, "carol@example.net")
    assert told["rule"] == f'{conf}:12: file = "{users}"'
    assert told["map"] == f"{users}:2"
    assert (told["backend"], told["login"]) == ("mail2 mail2.internal:993", "carol.c")
    assert route(conf, "dave")["map"] == f"{users}:4"


def test_route_without_a_match(conf):
    assert command("route", "-c", conf, "nobody") == (1, "", "no rule matches this user\n")
    assert command("route", "-c", conf, "") == (1, "", "no rule matches this user\n")
    assert command("route", "-c", conf, "x" * 5000)[0] == 1


def test_route_with_errors(write):
    conf = write(TOP + 'users = ( { match = "*"; backend = "x"; } );\n')
    assert command("route", "-c", conf, "alice") == (
        2, "", f'{conf}:8: users.backend: unknown backend "x"\n')


@pytest.mark.parametrize("user", ["a\r\nb", "' OR 1=1 --", "%s%n", "*", "$(id)", "\x1b[2J",
                                  "j\u00fcrgen", "\udcff\udcfe"])
def test_route_of_hostile_names(write, user):
    """S6: a name is data in every rule; control characters do not reach the terminal."""
    conf = write(TOP + 'users = ( { match = "a"; backend = "mail2"; }, { regex = "^[a-z]+$"; '
                 'backend = "mail2"; }, { match = "*"; backend = "mail1"; } );\n')
    done = subprocess.run([binary(), "route", "-c", conf, os.fsencode(user)], capture_output=True,
                          timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.split(b"\n")
    assert lines[1] == b"backend: mail1 127.0.0.1:2143" and len(lines) == 5
    shown = b"".join(b"\\x%02x" % c if c < 32 else bytes([c]) for c in os.fsencode(user))
    assert lines[2] == b"login: " + shown
