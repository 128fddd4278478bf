#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""put.py HOST USER PASSWORD FILE: an upload with Python's own ftplib, as its manual shows it."""

import os.path
import sys
from ftplib import FTP_TLS

host, user, password, path = sys.argv[1:]
with open(path, "rb") as file, FTP_TLS(host) as ftp:
    ftp.login(user, password)
    ftp.prot_p()
    print(ftp.storbinary("STOR " + os.path.basename(path), file))
