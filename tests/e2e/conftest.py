"""Servers that all tests share, each started once and only when a test asks for it."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from lib import (  # noqa: E402  (the path must be set first)
    certs, courier, cyrus, dovecot, leak, master, process)
from lib.proxy import Proxy  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "threads: part of the short run under ThreadSanitizer")


@pytest.fixture(scope="session")
def ca():
    """The authority that clients and the proxy trust, with its certificates in one folder."""
    folder = process.private_dir("ca")
    yield certs.Authority(folder)
    process.remove_dir(folder)


@pytest.fixture(scope="session")
def certificate(ca):
    """(certificate, key) for localhost."""
    return ca.issue("localhost")


@pytest.fixture(scope="session")
def tls(ca):
    """A client's context that trusts the test's authority only and verifies names."""
    return ca.client_context()


@pytest.fixture(scope="session")
def mail1(certificate):
    """The Dovecot that most tests use. Tests that restart or reconfigure a server start their own."""
    server = dovecot.Dovecot(*certificate).start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def mail2(certificate):
    """A second Dovecot with the same users, for routing."""
    server = dovecot.Dovecot(*certificate).start()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def private_folder():
    """For files of a module that servers and proxies read."""
    path = process.private_dir("files")
    yield path
    process.remove_dir(path)


@pytest.fixture(scope="module")
def master_mail(certificate, private_folder):
    """A Dovecot that lets a master user sign in for others."""
    server = master.start_dovecot(certificate, private_folder)
    yield server
    server.remove()


@pytest.fixture
def make_proxy():
    """Starts proxies that are stopped (exit status and sanitizers checked) when the test ends."""
    running = []

    def make(*args, **kwargs):
        proxy = Proxy(*args, **kwargs)
        running.append(proxy)
        return proxy.start()

    yield make
    try:
        for proxy in running:
            if proxy.process and proxy.process.poll() is None:
                proxy.stop()
            proxy.check()
    finally:
        for proxy in running:
            print("\n".join(proxy.lines[-60:]))
            proxy.remove()


@pytest.fixture
def mux(make_proxy, mail1):
    """One proxy before one Dovecot, everything at its default."""
    return make_proxy({"mail1": mail1})


class Door:
    """A way in to a server: straight, or through a proxy. The tests that use it must not care."""

    def __init__(self, server, proxy=None):
        self.server, self.proxy = server, proxy

    def client(self, user=None, **options):
        password = self.server.users[user] if user else None
        if self.proxy:
            return self.proxy.client(user, password, **options)
        return self.server.client(user, **options)


@pytest.fixture(params=["direct", "proxy"])
def door(request, server, make_proxy):
    """Each such test runs twice: what holds without the proxy must hold with it."""
    return Door(server, make_proxy({"mail1": server}) if request.param == "proxy" else None)


@pytest.fixture(scope="session", name="cyrus")
def cyrus_server(certificate):
    server = cyrus.Cyrus(*certificate).start()
    yield server
    server.remove()


@pytest.fixture(scope="session", name="courier")
def courier_server(certificate):
    server = courier.Courier(*certificate).start()
    yield server
    server.remove()


@pytest.fixture(scope="session", params=["mail1", "cyrus", "courier"],
                ids=["dovecot", "cyrus", "courier"])
def server(request):
    """Every kind of real server in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def module_proxies():
    """One long-lived proxy for each server, shared by a module's tests."""
    proxies = {}

    def get(server):
        if server not in proxies:
            proxies[server] = Proxy({"mail": server}).start()
        return proxies[server]

    yield get
    try:
        for proxy in proxies.values():
            proxy.stop()
    finally:
        for proxy in proxies.values():
            proxy.remove()


@pytest.fixture(scope="module")
def benches(certificate):
    """One for each server, shared by a module's tests, for what a session leaves to the next."""
    made = {}

    def get(server):
        if server not in made:
            made[server] = leak.Bench(server, kinds=("plain", "starttls"), certificate=certificate)
        return made[server]

    yield get
    for bench in made.values():
        bench.close()


@pytest.fixture
def bench(benches, server):
    return benches(server)
