"""The fault campaign: real processes with posts flowing through them while one thing after another breaks.

`make campaign`, or `python -m tests.campaign --help`; docs/campaign.md says what it does and how to read its table.

    talk.py        the posts: all that will be said, from the seed alone, and what has to come of it
    standin.py     a process: the sites that are polled, the stream that is listened to, and the receiver of alerts
    proxy.py       a process: the way to a server, which can be cut, slowed and half open
    processes.py   starts, kills and restarts processes, and leaves none behind
    machines.py    the servers and the exowatch processes of one installation
    faults.py      what breaks: one function for each fault, which breaks it and mends it again
    checker.py     reads SQL and the receipts, and says what is lost, twice, late in order or dead
    clock.py, disk.py, power.py    how clocks jump, disks fill and power fails
    campaign.py    one phase after another
    report.py      the table
"""
