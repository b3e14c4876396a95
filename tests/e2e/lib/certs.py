"""A certificate authority for one test run, by the openssl command."""

import os
import ssl
import subprocess


def _openssl(*argv):
    subprocess.run(["openssl", *argv], check=True, capture_output=True)


class Authority:
    """Makes a CA in a folder, and server certificates on demand; all files are PEM."""

    def __init__(self, folder, name="Test CA"):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        self.ca = self._path("ca.pem")
        self._ca_key = self._path("ca.key")
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-days", "30", "-subj", f"/CN={name}", "-keyout", self._ca_key, "-out", self.ca,
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, label, names=("localhost", "127.0.0.1", "::1"), expired=False, client=False):
        """A certificate for these names and addresses: (certificate, key) paths.

        The same label twice gives a new certificate in the same files (for reload tests).
        """
        cert, key, csr, ext = (self._path(f"{label}.{end}") for end in ("pem", "key", "csr", "ext"))
        alt = ",".join(("IP:" if _is_address(name) else "DNS:") + name for name in names)
        usage = "clientAuth" if client else "serverAuth"
        with open(ext, "w", encoding="utf-8") as file:
            file.write(f"subjectAltName={alt}\nextendedKeyUsage={usage}\n")
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-subj", f"/CN={label}", "-keyout", key, "-out", csr)
        if expired:
            self._sign_expired(csr, ext, cert)
        else:
            _openssl("x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey", self._ca_key,
                     "-CAcreateserial", "-days", "20", "-extfile", ext, "-out", cert)
        # Servers that have left root behind read it too; it guards nothing but a test.
        os.chmod(key, 0o644)
        return cert, key

    def _sign_expired(self, csr, ext, cert):
        """Only `openssl ca` lets both dates be named, and it wants a database to write to."""
        folder = self._path("expired.db")
        os.makedirs(folder, exist_ok=True)
        index, conf = os.path.join(folder, "index"), os.path.join(folder, "conf")
        with open(index, "w", encoding="ascii"):
            pass
        with open(conf, "w", encoding="ascii") as file:
            file.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={index}\nnew_certs_dir={folder}\n"
                       f"rand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        _openssl("ca", "-batch", "-config", conf, "-cert", self.ca, "-keyfile", self._ca_key,
                 "-in", csr, "-extfile", ext, "-out", cert, "-notext",
                 "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")

    def client_context(self, minimum=None, maximum=None, alpn=()):
        """What a careful client uses: this CA only, names verified."""
        context = ssl.create_default_context(cafile=self.ca)
        if minimum:
            context.minimum_version = minimum
        if maximum:
            context.maximum_version = maximum
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context


def _is_address(name):
    return ":" in name or name.replace(".", "").isdigit()
