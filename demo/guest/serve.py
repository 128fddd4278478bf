#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""serve.py: pyftpdlib's FTPS server, as its manual shows it, for the one session on standard
input's listening socket."""

import logging
import socket

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import FTPServer


class Session(TLS_FTPHandler):
    certfile = "/etc/ssl/demo/both.pem"
    tls_control_required = True
    tls_data_required = True
    authorizer = DummyAuthorizer()

    def on_disconnect(self):
        self.server.close_all()


Session.authorizer.add_user("demo", "demo", "/home/demo", perm="elradfmw")
logging.basicConfig(filename="/tmp/server.log", level=logging.DEBUG)
FTPServer(socket.socket(fileno=0), Session).serve_forever()
