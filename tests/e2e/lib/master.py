"""A server whose users the proxy may sign in by a master user, and password files for the proxy."""

import os
import subprocess

from .dovecot import Dovecot

MASTER = "the-master"
MASTER_WORD = "word of the master"

EXTRA = """
auth_master_user_separator = *
passdb {{
  driver = passwd-file
  args = {file}
  master = yes
}}
"""


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o644)
    return path


def set_word(folder, word):
    """The master's password at the server."""
    write(folder, "masters", f"{MASTER}:{{PLAIN}}{word}\n")


def start_dovecot(certificate, folder):
    """One that knows the master user, in both forms."""
    file = write(folder, "masters", f"{MASTER}:{{PLAIN}}{MASTER_WORD}\n")
    return Dovecot(*certificate, extra=EXTRA.format(file=file)).start()


def backend(server, folder, form="authzid", user=MASTER, word=MASTER_WORD):
    """The server in the proxy's configuration."""
    return {**server.where(), "master_user": user, "master_form": form,
            "master_password_file": write(folder, "master.word", word + "\n")}


def hashed(scheme, password):
    """As `doveadm pw` writes it."""
    cost = ["-r", "5"] if scheme == "BLF-CRYPT" else []
    return subprocess.run(["doveadm", "pw", "-s", scheme, *cost, "-p", password], check=True,
                          capture_output=True, text=True).stdout.strip()
