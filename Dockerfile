# docker build -t imapmux . && docker run -v /etc/imapmux:/etc/imapmux:ro -p 143:143 -p 993:993 imapmux
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends make
WORKDIR /src
COPY . .
RUN make -j"$(nproc)" && make install DESTDIR=/out PREFIX=/usr

FROM debian:bookworm-slim
RUN apt-get update \
	&& apt-get install -y --no-install-recommends libuv1 libssl3 libconfig9 libpcre2-8-0 libjansson4 libgssapi-krb5-2 ca-certificates \
	&& rm -rf /var/lib/apt/lists/* \
	&& useradd --system --user-group --no-create-home --shell /usr/sbin/nologin imapmux
COPY --from=build /out/usr/sbin/imapmux /usr/sbin/imapmux
COPY --from=build --chown=root:imapmux /out/etc/imapmux /etc/imapmux
RUN install -d -o imapmux -g imapmux /run/imapmux
USER imapmux
# Docker lets any user of a container bind ports below 1024 (net.ipv4.ip_unprivileged_port_start is 0).
EXPOSE 143 993
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/sbin/imapmux"]
CMD ["-c", "/etc/imapmux/imapmux.conf"]
