#!/bin/sh
# Writes PgBouncer's settings from the environment and runs it.
#
# DATABASE_HOST  Postgres          POOL_SIZE    connections to it for each role
# PASSWORDS      JSON object, role to password; names that begin with queue_ are not for Postgres
# MAX_CLIENTS    connections of functions
# SERVER_TLS     sslmode to Postgres (default verify-full)
set -eu
umask 077
settings=/run/pgbouncer
cd "$settings"

printf '%s' "$PASSWORDS" | jq --raw-output \
    'to_entries[] | select(.key | startswith("queue_") | not) | "\"\(.key)\" \"\(.value)\""' >users.txt
unset PASSWORDS

# Functions check no name: they are in the same closed network, and want nobody there to read along.
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=pgbouncer -keyout server.key -out server.crt 2>/dev/null

cat >pgbouncer.ini <<END
[databases]
* = host=$DATABASE_HOST port=${DATABASE_PORT:-5432}
[pgbouncer]
listen_addr = *
listen_port = 6432
unix_socket_dir =
auth_file = $settings/users.txt
auth_type = scram-sha-256
pool_mode = transaction
pkt_buf = 16384
default_pool_size = $POOL_SIZE
max_client_conn = $MAX_CLIENTS
server_login_retry = 1
ignore_startup_parameters = extra_float_digits
stats_users = sluice_owner, sluice_reader
client_tls_sslmode = require
client_tls_key_file = $settings/server.key
client_tls_cert_file = $settings/server.crt
server_tls_sslmode = ${SERVER_TLS:-verify-full}
server_tls_ca_file = ${SERVER_CA:-/etc/pgbouncer/rds.pem}
END
exec pgbouncer pgbouncer.ini
