"""The embedded stack: real Redis, Postgres and PgBouncer servers and an AWS emulator, without Docker.

Run it with `python -m embedded up|down|status|clean`. Everything listens on 127.0.0.1 only.

    __main__     the command line
    control      what the command line does: start, stop and look at a supervisor
    supervisor   the one process that owns the servers: ordered start, restart, ordered stop
    process      one supervised server: launch, watch, stop
    guard        makes a server die with its supervisor
    servers/     what the five servers are (LocalStack may stand in for the emulator): files, command, health check
    binaries     where their programs are; pgbouncer_package fetches the one that no wheel has
    state        the state directory: paths, private files, lock; ports, accounts and connections live in it
"""
