"""The people who have mail in the tests, and what they would hate to see in a log."""

PLAIN = {f"u{n}": f"secret-of-u{n}" for n in range(1, 21)}

DOMAINS = {
    "alice@example.org": "alice's word",
    "bob@example.org": "bob#word",
    "carol@old.example": "carol-word",
    "alice": "word-of-alice-without-domain",
    "carol": "word-of-carol-without-domain",
}

# Names and passwords that break whoever pastes them instead of quoting them.
ODD = {
    "with space": "pass word",
    'quo"te': 'pa"ss"',
    "back\\slash": "pa\\ss\\",
    "j\u00fcrgen": "p\u00e4ssw\u00f6rd-\u6f22\u5b57",
    "percent%n%s": "%n%s%x",
    "o'neill": "x' OR '1'='1",
    "curly{5}": "pass{5}",
    "paren(s)": "*)(uid=*",
    "s" * 64: "p" * 200,
}

ALL = {**PLAIN, **DOMAINS, **ODD}
