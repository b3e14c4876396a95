"""SASL messages and exchanges, and a Dovecot that knows them: tokens it checks itself, SCRAM."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import time

from . import process
from .dovecot import Dovecot
from .imap import Reply

SECRET = b"a key that only the tests and their server know"
OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={dir}/keys/
username_attribute = sub
"""
MECHANISMS = """
auth_mechanisms = plain login xoauth2 oauthbearer scram-sha-1 scram-sha-256
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {dir}/oauth2.conf
}}
"""


def b64(data):
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def unb64(line):
    """The bytes of a challenge line."""
    return base64.b64decode(line.removeprefix(b"+").strip(), validate=True)


def jwt(user, seconds=3600, key=SECRET, **more):
    """A token for a user that is good for so many seconds from now."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    now = int(time.time())
    claims = {"sub": user, "iat": now - 10, "exp": now + seconds, **more}
    text = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
    return (text + b"." + part(hmac.digest(key, text, "sha256"))).decode()


def xoauth2(user, token):
    return b64(f"user={user}\x01auth=Bearer {token}\x01\x01")


def oauthbearer(user, token):
    return b64(f"n,a={user},\x01host=localhost\x01port=143\x01auth=Bearer {token}\x01\x01")


FIRST = {"XOAUTH2": xoauth2, "OAUTHBEARER": oauthbearer}


def sign_in(client, mechanism, user, token, initial=True):
    """A sign-in by token; returns (the error that the server told or None, the reply)."""
    first = FIRST[mechanism](user, token)
    tag = client.start(f"AUTHENTICATE {mechanism}" + (f" {first}" if initial else ""))
    if not initial:
        assert client.challenge() == b"+ \r\n"
        client.send(first + "\r\n")
    line = client.response()
    error = None
    if line.startswith(b"+"):
        error = json.loads(unb64(line))
        client.send("\r\n" if mechanism == "XOAUTH2" else "AQ==\r\n")
        line = client.response()
    lines = [line]
    while not line.startswith(tag.encode() + b" "):
        line = client.response()
        lines.append(line)
    return error, Reply(tag.encode(), lines)


class Scram:
    """The client's side of RFC 5802, without channel binding."""

    def __init__(self, mechanism, user, password, authzid="", flag="n"):
        self.digest = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}[mechanism]
        self.password = password.encode()
        name, authzid = (text.replace("=", "=3D").replace(",", "=2C") for text in (user, authzid))
        self.header = f"{flag},{'a=' + authzid if authzid else ''},"
        self.nonce = secrets.token_urlsafe(18)
        self.bare = f"n={name},r={self.nonce}"

    def first(self):
        return b64(self.header + self.bare)

    def final(self, server_first):
        """The answer to server-first."""
        text = server_first.decode()
        fields = dict(part.split("=", 1) for part in text.split(","))
        assert fields["r"].startswith(self.nonce)
        salted = hashlib.pbkdf2_hmac(self.digest, self.password, base64.b64decode(fields["s"]),
                                     int(fields["i"]))
        bare = f"c={b64(self.header)},r={fields['r']}"
        message = f"{self.bare},{text},{bare}".encode()
        client_key = hmac.digest(salted, b"Client Key", self.digest)
        stored_key = hashlib.new(self.digest, client_key).digest()
        signature = hmac.digest(stored_key, message, self.digest)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        server_key = hmac.digest(salted, b"Server Key", self.digest)
        self.verifier = b64(hmac.digest(server_key, message, self.digest))
        return b64(f"{bare},p={b64(proof)}")

    def check(self, server_final):
        """The server knows the password, too."""
        assert server_final.decode() == f"v={self.verifier}"


def scram(client, mechanism, user, password, initial=True, **options):
    """A whole SCRAM sign-in; returns the reply."""
    one = Scram(mechanism, user, password, **options)
    tag = client.start(f"AUTHENTICATE {mechanism}" + (f" {one.first()}" if initial else ""))
    if not initial:
        assert client.challenge() == b"+ \r\n"
        client.send(one.first() + "\r\n")
    line = client.response()
    if line.startswith(b"+"):
        client.send(one.final(unb64(line)) + "\r\n")
        line = client.response()
    if line.startswith(b"+"):
        one.check(unb64(line))
        client.send("\r\n")
        line = client.response()
    lines = [line]
    while not line.startswith(tag.encode() + b" "):
        line = client.response()
        lines.append(line)
    return Reply(tag.encode(), lines)


class SaslDovecot(Dovecot):
    """Takes every mechanism that a proxy relays. Its tokens are made by jwt()."""

    def __init__(self, cert, key, extra="", **options):
        self.keys = process.private_dir("oauth2")
        folder = os.path.join(self.keys, "keys", "default", "HS256")
        os.makedirs(folder)
        with open(os.path.join(folder, "default"), "w", encoding="ascii") as file:
            file.write(b64(SECRET))
        with open(os.path.join(self.keys, "oauth2.conf"), "w", encoding="ascii") as file:
            file.write(OAUTH2.format(dir=self.keys))
        super().__init__(cert, key, extra=MECHANISMS.format(dir=self.keys) + extra, **options)

    def remove(self):
        super().remove()
        process.remove_dir(self.keys)
