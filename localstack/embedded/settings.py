"""Settings of the servers that decide what they promise: the same for the embedded stack and localstack/compose.yaml.

Addresses, passwords and paths are not here. A test compares the compose file with this module.
"""

REDIS = {
    "appendonly": "yes",
    "save": "",  # the append-only file is the one truth
    "maxmemory": "256mb",
    "maxmemory-policy": "noeviction",  # a full server refuses writes instead of dropping logs
}
POSTGRES = {"max_connections": "200"}
PGBOUNCER = {
    "auth_type": "scram-sha-256",
    "pool_mode": "transaction",
    "pkt_buf": "16384",  # bytes that it reads at once: with the default of 4096, passing rows on takes twice its time
    "default_pool_size": "20",
    "max_client_conn": "500",
    "server_login_retry": "1",  # seconds; with the default of 15 a restart of Postgres is felt that long
    "ignore_startup_parameters": "extra_float_digits",
    "stats_users": "sluice_owner, sluice_reader",
}
