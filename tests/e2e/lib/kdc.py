"""A Kerberos realm of its own: krb5kdc (Debian's krb5-kdc) in a private directory on loopback."""

import os
import subprocess

from . import process

KRB5_CONF = """
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
"""

KDC_CONF = """
[kdcdefaults]
  kdc_listen = ""
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {dir}/principal
    key_stash_file = {dir}/stash
    acl_file = {dir}/acl
    kdc_listen = ""
    kdc_tcp_listen = 127.0.0.1:{port}
  }}
[logging]
  kdc = FILE:{dir}/log
"""

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Kdc:
    """One realm. `environment` is what clients and services of it need."""

    def __init__(self, realm="EXAMPLE.TEST"):
        self.realm = realm
        self.dir = process.private_dir("kdc")
        self.environment = {
            "KRB5_CONFIG": os.path.join(self.dir, "krb5.conf"),
            "KRB5_KDC_PROFILE": os.path.join(self.dir, "kdc.conf"),
            "KRB5RCACHEDIR": self.dir,
            "KRB5CCNAME": f"MEMORY:{self.dir}",
        }
        self.process = None

    def _run(self, *argv):
        subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL,
                       env={**os.environ, **self.environment, "PATH": PATH})

    def _write(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="ascii") as file:
            file.write(text.format(realm=self.realm, dir=self.dir, port=self.port))

    def _configure(self):
        self.port = process.free_port()
        self._write("krb5.conf", KRB5_CONF)
        self._write("kdc.conf", KDC_CONF)

    def start(self):
        self._configure()
        self._run("kdb5_util", "create", "-s", "-r", self.realm, "-P", "of the database")
        for _ in range(5):
            self.process = process.spawn(
                ["/usr/sbin/krb5kdc", "-n", "-r", self.realm], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env={**os.environ, **self.environment})
            process.wait_for(lambda: process.accepts(("127.0.0.1", self.port))
                             or self.process.poll() is not None, "the KDC accepts")
            if self.process.poll() is None:
                return self
            self._configure()
        raise AssertionError("the KDC does not start")

    def _admin(self, query):
        self._run("kadmin.local", "-r", self.realm, "-q", query)

    def add_user(self, name, password):
        self._admin(f"addprinc -pw {password} {name}")

    def add_service(self, *names):
        """A keytab with the keys of these services; its path."""
        keytab = os.path.join(self.dir, names[0].replace("/", ".") + ".keytab")
        for name in names:
            self._admin(f"addprinc -randkey {name}")
            self._admin(f"ktadd -k {keytab} {name}")
        os.chmod(keytab, 0o644)
        return keytab

    def remove(self):
        if self.process:
            process.stop(self.process)
        process.remove_dir(self.dir)
