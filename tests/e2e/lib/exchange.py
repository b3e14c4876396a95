"""Exchanges of SASL by hand: what is sent is what the test says. For proxies that judge themselves."""

import base64
import hashlib
import hmac
import os

from .imap import Reply


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def unb64(line):
    """What stands in a challenge line."""
    assert line.startswith(b"+ "), line
    return base64.b64decode(line[2:].strip())


def plain(client, user, password, authzid=""):
    message = "\0".join((authzid, user, password))
    return client.cmd(f"AUTHENTICATE PLAIN {b64(message)}")


def run(client, mechanism, *steps, initial=None):
    """One exchange: each step is given a challenge (decoded) and returns the answer, decoded, or a whole
    line of bytes that is sent as it is. Returns the tagged reply, which may come early."""
    first = "" if initial is None else " " + (b64(initial) or "=")
    tag = b"x%d" % len(client.log)
    client.send(tag + f" AUTHENTICATE {mechanism}{first}\r\n".encode())
    for step in steps:
        line = client.line()
        if not line.startswith(b"+"):
            break
        answer = step(unb64(line))
        client.send(answer if isinstance(answer, bytes) and answer.endswith(b"\r\n")
                    else b64(answer).encode() + b"\r\n")
        line = None
    lines = [line] if steps and line else [client.response()]
    while not lines[-1].startswith(tag + b" "):
        lines.append(client.response())
    return Reply(tag, lines)


def cram_md5(client, user, password):
    def answer(challenge):
        digest = hmac.new(password.encode(), challenge, "md5").hexdigest()
        return f"{user} {digest}"
    return run(client, "CRAM-MD5", answer)


class Scram:
    """One exchange; `server_ok` when the server has proved itself."""

    def __init__(self, user, password, name="sha256", authzid="", header=None):
        self.password, self.name = password, name
        self.nonce = b64(os.urandom(12))
        self.header = header or f"n,{'a=' + authzid if authzid else ''},"
        self.bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={self.nonce}"
        self.server_ok = False
        self.server_first = ""

    def first(self):
        return self.header + self.bare

    def _hmac(self, key, text):
        return hmac.new(key, text, self.name).digest()

    def final(self, challenge):
        self.server_first = challenge.decode()
        fields = dict(part.split("=", 1) for part in self.server_first.split(","))
        assert fields["r"].startswith(self.nonce) and len(fields["r"]) > len(self.nonce) + 10
        salted = hashlib.pbkdf2_hmac(self.name, self.password.encode(),
                                     base64.b64decode(fields["s"]), int(fields["i"]))
        without = f"c={b64(self.header)},r={fields['r']}"
        message = f"{self.bare},{self.server_first},{without}".encode()
        client_key = self._hmac(salted, b"Client Key")
        signature = self._hmac(hashlib.new(self.name, client_key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.expected = self._hmac(self._hmac(salted, b"Server Key"), message)
        return f"{without},p={b64(proof)}"

    def verify(self, challenge):
        self.server_ok = challenge == b"v=" + b64(self.expected).encode()
        return b"\r\n"


def scram(client, user, password, mechanism="SCRAM-SHA-256", initial=True, **options):
    """(reply, the exchange)"""
    s = Scram(user, password, "sha256" if mechanism.endswith("256") else "sha1", **options)
    if initial:
        return run(client, mechanism, s.final, s.verify, initial=s.first()), s
    return run(client, mechanism, lambda _: s.first(), s.final, s.verify), s
