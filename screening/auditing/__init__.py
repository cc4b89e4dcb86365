"""The audit as the hospital's audit repository wants it: DICOM audit messages over syslog and TLS.

`message.py` says what an entry is in DICOM's words, `syslog.py` brings it over, `relay.py` goes
through the entries.
"""
