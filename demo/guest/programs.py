# SPDX-License-Identifier: GPL-2.0
"""The programs that transfer the file, and the list of transfers.

All of them but our own `ftps` are Debian's, unmodified. What they have in common is OpenSSL's
configuration file, which switches kernel TLS on (etc/ktls.cnf).
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from lab import ADDRESS, CLIENT, SERVER, run

HERE = os.path.dirname(os.path.abspath(__file__))
FTPS = os.path.join(os.path.dirname(HERE), "ftps")
HOST = ADDRESS[SERVER]
CERT, KEY = "/etc/ssl/demo/cert.pem", "/etc/ssl/demo/key.pem"
USER, PASSWORD, PASSWORD_FILE = "demo", "demo", "/etc/ssl/demo/password"
SERVER_HOME, CLIENT_HOME = "/home/demo", "/home/client"
LOG = "/var/log/server.log"
FILE = "file.bin"


@dataclass
class Server:
    """An FTPS server. One without `single` is started for each connection, as by inetd(8)."""
    name: str
    argv: list
    single: bool = True


@dataclass
class Transfer:
    """One row of the table, which is run once for each mode."""
    key: str
    title: str
    upload: bool
    server: Server
    client: list
    own: bool = False       # the sender is our helper

    @property
    def sender(self):
        """The namespace of the end that sends the file."""
        return CLIENT if self.upload else SERVER

    @property
    def source(self):
        return os.path.join(CLIENT_HOME if self.upload else SERVER_HOME, FILE)

    def arrived(self):
        """The file as it arrived; our helper calls one that it knows to be cut FILE.partial."""
        target = os.path.join(SERVER_HOME if self.upload else CLIENT_HOME, FILE)
        for path in (target, target + ".partial"):
            if os.path.exists(path):
                return path
        return None


VSFTPD = Server("vsftpd", ["vsftpd", f"{HERE}/etc/vsftpd.conf"])
PROFTPD = Server("proftpd", ["proftpd", "--nodaemon", "--config", f"{HERE}/etc/proftpd.conf"])


def ftps_serve(end):
    return Server("ftps serve", [
        FTPS, "serve", "--json", "--listen", f"{HOST}:21", "--cert", CERT, "--key", KEY,
        "--user", USER, "--password-file", PASSWORD_FILE, "--end", end, SERVER_HOME], single=False)


def ftps_put(end):
    return [FTPS, "put", "--json", "--cacert", CERT, "--password-file", PASSWORD_FILE,
            "--end", end, FILE, f"ftps://{USER}@{HOST}/{FILE}"]


PYTHON = [f"{HERE}/put.py", HOST, USER, PASSWORD, FILE]
PERL = [f"{HERE}/put.pl", HOST, USER, PASSWORD, FILE, CERT]
CURL = ["curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", CERT,
        "--user", f"{USER}:{PASSWORD}", "--remote-name", f"ftp://{HOST}/{FILE}"]
FTPS_GET = [FTPS, "get", "--json", "--cacert", CERT, "--password-file", PASSWORD_FILE,
            f"ftps://{USER}@{HOST}/{FILE}", FILE]

TRANSFERS = [
    Transfer("put-python", "upload: Python ftplib -> vsftpd", True, VSFTPD, PYTHON),
    Transfer("put-perl", "upload: Perl Net::FTP -> vsftpd", True, VSFTPD, PERL),
    Transfer("put-perl-half", "upload: Perl, shutdown() before close() -> vsftpd", True, VSFTPD,
             PERL + ["half-close"]),
    Transfer("put-tickets", "upload: ftps --end=tickets-unread -> vsftpd", True, VSFTPD,
             ftps_put("tickets-unread"), own=True),
    Transfer("put-linger0", "upload: ftps --end=linger0 -> vsftpd", True, VSFTPD,
             ftps_put("linger0"), own=True),
    Transfer("put-kill", "upload: ftps --end=kill -> vsftpd", True, VSFTPD,
             ftps_put("kill"), own=True),
    Transfer("get-vsftpd", "download: vsftpd -> curl", False, VSFTPD, CURL),
    Transfer("get-proftpd", "download: proftpd -> curl", False, PROFTPD, CURL),
    Transfer("get-linger0", "download: ftps --end=linger0 -> ftps", False, ftps_serve("linger0"),
             FTPS_GET, own=True),
    Transfer("get-close", "download: ftps --end=close -> curl", False, ftps_serve("close"),
             CURL, own=True),
]

# The reply that ends a transfer, behind the 150 that begins it, as the logs of vsftpd, proftpd and
# ftps have it.
REPLY = re.compile(r'(?:response: Client "[^"]*", "|^RETR: |"reply":)([245]\d\d)\b', re.M)


def reply():
    """The server's last word on the transfer, from its own log: a client may be dead by then."""
    with open(LOG, encoding="utf-8", errors="replace") as log:
        text = log.read()
    found = REPLY.search(text, max(0, text.find("150 ")))
    return int(found[1]) if found else 0


def install():
    """Accounts, certificate, openssl.cnf, and net/tls: a server that has given up its privileges
    cannot make the kernel load it, and would do TLS by itself without a word."""
    run("modprobe", "tls")
    os.makedirs(os.path.dirname(CERT))
    os.makedirs(CLIENT_HOME)
    os.makedirs("/run/vsftpd/empty")
    shutil.copy(f"{HERE}/etc/ktls.cnf", "/etc/ssl/openssl.cnf")
    run("useradd", "--create-home", USER)
    subprocess.run(["chpasswd"], input=f"{USER}:{PASSWORD}\n", text=True, check=True)
    with open(PASSWORD_FILE, "w", encoding="ascii", opener=lambda *a: os.open(*a, 0o600)) as file:
        file.write(PASSWORD + "\n")
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-noenc", "-days", "3650", "-subj", "/CN=server", "-addext", f"subjectAltName=IP:{HOST}",
        "-keyout", KEY, "-out", CERT)
