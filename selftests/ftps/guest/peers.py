# SPDX-License-Identifier: GPL-2.0
"""The other ends: Debian's FTPS servers and clients, unmodified."""
import os
import re
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FTPS = os.path.join(os.path.dirname(HERE), "ftps")
DRSTAT = os.path.join(os.path.dirname(HERE), "drstat")
HOST = "127.0.0.1"
ETC = "/etc/ssl/interop"
CERT, KEY, BOTH = ETC + "/cert.pem", ETC + "/key.pem", ETC + "/both.pem"
PASSWORD_FILE = ETC + "/password"
USER, PASSWORD = "interop", "s3cr3t-word"
HOME = "/home/" + USER
OURS_PORT = 2110

# name: port and command line
SERVERS = {
    "vsftpd": (2101, ["vsftpd", f"{HERE}/etc/vsftpd.conf"]),
    "proftpd": (2102, ["proftpd", "--nodaemon", "--config", f"{HERE}/etc/proftpd.conf"]),
    "pure-ftpd": (2103, ["pure-ftpd", "-S", f"{HOST},2103", "-l", "unix", "-A", "-H",
                         "-Y", "3", "-2", BOTH]),
    "pyftpdlib": (2104, [f"{HERE}/pyftpd", "2104", CERT, KEY, USER, PASSWORD, HOME]),
}

URL = f"ftp://{HOST}:{OURS_PORT}/"
LFTP_TLS = {"1.2": "+VERS-TLS1.2", "1.3": "+VERS-TLS1.3"}
CURL_TLS = {"1.2": ["--tls-max", "1.2"], "1.3": ["--tlsv1.3"]}


def curl(verb, tls, local, remote):
    base = ["curl", "-sS", "--ssl-reqd", "--cacert", CERT, "-u", f"{USER}:{PASSWORD}",
            *CURL_TLS[tls]]
    return base + (["-T", local] if verb == "put" else ["-o", local]) + [URL + remote]


def lftp(verb, tls, local, remote):
    files = f"put {local} -o {remote}" if verb == "put" else f"get {remote} -o {local}"
    return ["lftp", "--norc", "-c",
            f"set ssl:ca-file {CERT}; set ftp:ssl-force true; set ftp:ssl-protect-data true;"
            f"set ssl:priority NORMAL:-VERS-ALL:{LFTP_TLS[tls]};"
            "set net:max-retries 1; set net:timeout 60; set cmd:fail-exit true;"
            f"open -u {USER},{PASSWORD} -p {OURS_PORT} {HOST}; {files}"]


def script(program):
    def command(verb, tls, local, remote):
        return [f"{HERE}/{program}", verb, str(OURS_PORT), tls, CERT, USER, PASSWORD,
                local, remote]
    return command


# name: a function that makes the command line
CLIENTS = {
    "curl": curl,
    "lftp": lftp,
    "Python ftplib": script("ftplib_client"),
    "Perl Net::FTP": script("netftp_client"),
}

# name: a command that tells the version, and where in its output it is
VERSIONS = {
    "vsftpd": (["sh", "-c", "vsftpd -v 0>&1"], r"version (\S+)"),
    "proftpd": (["proftpd", "--version"], r"Version (\S+)"),
    "pure-ftpd": (["pure-ftpd", "--help"], r"pure-ftpd v(\S+)"),
    "pyftpdlib": (["python3", "-c", "import pyftpdlib; print(pyftpdlib.__ver__)"], r"(\S+)"),
    "curl": (["curl", "--version"], r"curl (\S+)"),
    "lftp": (["lftp", "--version"], r"Version (\S+)"),
    "Python ftplib": (["python3", "--version"], r"(Python \S+)"),
    "Perl Net::FTP": (["perl", "-MNet::FTP", "-MIO::Socket::SSL", "-e",
                       'print "$Net::FTP::VERSION, IO::Socket::SSL $IO::Socket::SSL::VERSION"'],
                      r"(.+)"),
    "OpenSSL": (["openssl", "version"], r"OpenSSL (\S+)"),
    "ftps": ([FTPS, "--version"], r"ftps (\S+)"),
}


def versions():
    """What each program calls itself."""
    found = {}
    for name, (argv, pattern) in VERSIONS.items():
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, check=False)
        match = re.search(pattern, done.stdout + done.stderr)
        found[name] = next(filter(None, match.groups())).strip() if match else "unknown"
    return found


def await_greeting(port, proc):
    """Until the server answers. It may be slow to start; if it dies, that is an error."""
    until = time.monotonic() + 90
    while time.monotonic() < until:
        if proc.poll() is not None:
            raise RuntimeError(f"it ended with status {proc.returncode}")
        try:
            with socket.create_connection((HOST, port), timeout=60) as sock:
                if sock.recv(3) == b"220":
                    return
        except ConnectionError:
            pass
        time.sleep(0.2)
    raise RuntimeError("no greeting")
