"""The development loop: the embedded stack, with what is saved in the working tree running a moment later.

Run it with `python -m dev run|logs`, or `make dev` and `make logs`.

    __main__    the command line
    loop        what happens on a save: check, replace, tell
    watching    noticing that files are saved
    sources     which functions and which layer a changed file belongs to, and the archives made of them
    checks      syntax and imports of what was saved, before anything is replaced
    aws         replacing functions through the Lambda API
    debugger    one function under debugpy; bootstrap is the code that it runs there
    records     one log line as a record: time, source, level, message, fields
    streams     where log lines come from: CloudWatch Logs of the functions, files of the servers
    view        which records are shown, and how
"""
