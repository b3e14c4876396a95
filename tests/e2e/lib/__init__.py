"""The harness of the end-to-end tests: real servers, the proxy, clients, and a scripted peer."""
