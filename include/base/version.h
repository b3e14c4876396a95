/*
 * The version of this program: for --version, the log, and later the admin socket and metrics.
 */
#ifndef IMAPMUX_BASE_VERSION_H
#define IMAPMUX_BASE_VERSION_H

#define IMAPMUX_VERSION "0.1.0"

#endif
