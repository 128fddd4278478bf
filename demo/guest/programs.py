# SPDX-License-Identifier: GPL-2.0
"""The programs that transfer the file, and the list of transfers.

All of them but our own `ftps` are Debian's, unmodified. What they have in common is OpenSSL's
configuration file, which switches kernel TLS on (etc/ktls.cnf).
"""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field

from lab import ADDRESS, CLIENT, SERVER, run

HERE = os.path.dirname(os.path.abspath(__file__))
FTPS = os.path.join(os.path.dirname(HERE), "ftps")
HOST = ADDRESS[SERVER]
CERT, KEY = "/etc/ssl/demo/cert.pem", "/etc/ssl/demo/key.pem"
USER, PASSWORD, PASSWORD_FILE = "demo", "demo", "/etc/ssl/demo/password"
SERVER_HOME, CLIENT_HOME = "/home/demo", "/home/client"
LOG = "/tmp/server.log"
FILE = "file.bin"
# Linux' own is 4096 16384 4194304: this is what guides to networks that are far apart set.
WIDE = "4096 16777216 16777216"


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
    sysctls: dict = field(default_factory=dict)
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
    Transfer("put-perl-wide", "upload: Perl Net::FTP, 16 MiB send buffer -> vsftpd", True, VSFTPD,
             PERL, {"net.ipv4.tcp_wmem": WIDE}),
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

# What each server's log says after "150": the reply that ends the transfer.
REPLY = re.compile(r'(?:response: Client "[^"]*", "|^(?:STOR|RETR): |"reply":)([245]\d\d)\b')


def reply():
    """The server's last word on the transfer, from its own log, for a client may be dead by then."""
    with open(LOG, encoding="utf-8", errors="replace") as log:
        text = log.read()
    after = text[text.rfind("150 ") + 4:] if '"150 ' in text else text
    found = REPLY.search(after) or re.search(r"^RETR: (\d+)", after, re.M)
    return int(found[1]) if found else 0


def words(output):
    """The last line of what the client printed; of our helper's JSON, its verdict."""
    line = (output.strip().splitlines() or [""])[-1]
    try:
        return json.loads(line)["result"]
    except (ValueError, KeyError, TypeError):
        return line[:200]


def install():
    """Accounts, certificate, openssl.cnf."""
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
