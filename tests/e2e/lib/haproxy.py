"""A real HAProxy (Debian's haproxy, installed) in front of the proxy."""

import os
import subprocess

from . import process

CONFIG = """
global
  maxconn 200
  stats socket {dir}/stats.sock
defaults
  mode tcp
  timeout connect 60s
  timeout client 60s
  timeout server 60s
  timeout check 60s
listen front
  bind 127.0.0.1:{port} {bind}
  server mux 127.0.0.1:{to} {options}
"""


class HAProxy:
    """One listener on `port` that sends all to a port of this machine. `options` of its server line."""

    def __init__(self, to, options, bind=""):
        self.dir = process.private_dir("haproxy")
        self.to, self.options, self.bind = to, options, bind
        self.process = None

    def __enter__(self):
        conf = os.path.join(self.dir, "haproxy.cfg")
        for _ in range(5):
            self.port = process.free_port()
            with open(conf, "w", encoding="ascii") as file:
                file.write(CONFIG.format(dir=self.dir, port=self.port, to=self.to,
                                         options=self.options, bind=self.bind))
            with open(os.path.join(self.dir, "log"), "wb") as log:
                self.process = process.spawn(["haproxy", "-db", "-f", conf], stderr=log,
                                             stdout=subprocess.DEVNULL)
            process.wait_for(self._is_decided, "haproxy accepts")
            if self.process.poll() is None:
                return self
        with open(os.path.join(self.dir, "log"), encoding="utf-8") as log:
            raise AssertionError("haproxy does not start: " + log.read()[-2000:])

    def _is_decided(self):
        return self.process.poll() is not None or process.accepts(("127.0.0.1", self.port))

    def __exit__(self, *_):
        process.stop(self.process)
        process.remove_dir(self.dir)

    def address(self):
        return ("127.0.0.1", self.port)
