# SPDX-License-Identifier: GPL-2.0
"""The programs of docs/howto.md, as Debian has them, and how each is made to send SIZE bytes."""
import struct
import zlib
from dataclasses import dataclass, field

SIZE = 400_000
PORT, PLAIN = 8443, 8080
USER = "upload"             # and its password
SERVER, CLIENT = "192.0.2.2", "192.0.2.1"
DIR = "/srv/programs"       # in the release's root
CERT, KEY, BOTH = DIR + "/cert.pem", DIR + "/key.pem", DIR + "/both.pem"
FILE = DIR + "/file"



def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: {SERVER}\r\nConnection: close\r\n\r\n".encode()


GET = get("/file")
SMALL = SIZE // 4           # fits into a send buffer
ANSWER = b"HTTP/1.1 413 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"


@dataclass
class Server:
    """It listens on PORT. What is not in `size` bytes of answer is a head."""
    argv: list
    files: dict = field(default_factory=dict)
    request: bytes = GET
    goodbye: bytes = b""    # what has it close when the answer is there
    size: int = SIZE
    stdin: str = "/dev/null"
    plain: bool = False     # it wants a server without TLS behind it


@dataclass
class FtpServer(Server):
    """What it sends is a file that is asked for on the control connection."""


@dataclass
class Client:
    """It sends the file to PORT. `answer` is what it waits for."""
    argv: list
    files: dict = field(default_factory=dict)
    answer: bytes = b""
    size: int = SIZE
    stdin: str = "/dev/null"
    lasts: bool = False     # it is a daemon, which SIGTERM ends


def mqtt(kind, payload):
    """A packet of MQTT."""
    length, left = b"", len(payload)
    while left or not length:
        length += bytes([left % 128 | (left > 127) << 7])
        left >>= 7
    return bytes([kind]) + length + payload


def mqtt_string(text):
    return struct.pack(">H", len(text)) + text


# Publishes to itself, at QoS 0.
MQTT = (mqtt(0x10, mqtt_string(b"MQTT") + b"\4\2\0\0" + mqtt_string(b"peer")) +
        mqtt(0x82, b"\0\1" + mqtt_string(b"t") + b"\0") +
        mqtt(0x30, mqtt_string(b"t") + bytes(SIZE)))


def nrpe(command):
    """A query of NRPE 2."""
    def packet(crc):
        return struct.pack(">hhIh1024s2x", 2, 1, crc, 0, command)
    return packet(zlib.crc32(packet(0)))


REDIS = f"SETRANGE k {SIZE - 1} x\r\nGET k\r\nQUIT\r\n".encode()

PHP_SERVER = f"""<?php
$context = stream_context_create(["ssl" => ["local_cert" => "{BOTH}"]]);
$server = stream_socket_server("tls://{SERVER}:{PORT}", $n, $s,
    STREAM_SERVER_BIND | STREAM_SERVER_LISTEN, $context);
while (true) {{
    if (!($c = @stream_socket_accept($server, -1)))
        continue;
    while (rtrim(fgets($c)) !== "");
    fwrite($c, "HTTP/1.1 200 OK\\r\\n\\r\\n" . file_get_contents("{FILE}"));
    fclose($c);
}}
"""
PHP_CLIENT = f"""<?php
$context = stream_context_create(["ssl" => ["verify_peer" => false, "verify_peer_name" => false]]);
$c = stream_socket_client("tls://{SERVER}:{PORT}", $n, $s, 30, STREAM_CLIENT_CONNECT, $context);
fwrite($c, file_get_contents("{FILE}"));
fclose($c);
"""
PYTHON_SERVER = f"""
import socket, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("{CERT}", "{KEY}")
with socket.create_server(("{SERVER}", {PORT})) as listener:
    while True:
        try:
            with context.wrap_socket(listener.accept()[0], server_side=True) as s:
                s.recv(1000)
                s.sendall(open("{FILE}", "rb").read())
                CLOSE
        except OSError:
            pass
"""
PYTHON_CLIENT = f"""
import socket, ssl
context = ssl._create_unverified_context()
s = context.wrap_socket(socket.create_connection(("{SERVER}", {PORT})))
s.sendall(open("{FILE}", "rb").read())
CLOSE
s.close()
"""
# unwrap() sends close_notify, and does not wait for one where the socket does not.
UNWRAP = "s.setblocking(False)\n{0}try:\n{0}    s.unwrap()\n{0}except OSError:\n{0}    pass"
ASYNCIO = f"""
import asyncio, ssl
async def main():
    reader, writer = await asyncio.open_connection("{SERVER}", {PORT}, ssl=ssl._create_unverified_context())
    writer.write(open("{FILE}", "rb").read())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
asyncio.run(main())
"""
REQUESTS = f"""
import requests
requests.post("https://{SERVER}:{PORT}/", data=open("{FILE}", "rb").read(), verify=False)
"""
GUNICORN = f"""
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "{SIZE}")])
    return [open("{FILE}", "rb").read()]
"""
PERL_CLIENT = f"""
use IO::Socket::SSL;
my $s = IO::Socket::SSL->new(PeerAddr => "{SERVER}:{PORT}", SSL_verify_mode => 0) or die $SSL_ERROR;
open(my $file, "<", "{FILE}"); local $/; print $s scalar <$file>;
$s->close();
"""
LWP = f"""
use LWP::UserAgent;
my $agent = LWP::UserAgent->new(ssl_opts => {{ verify_hostname => 0, SSL_verify_mode => 0 }});
open(my $file, "<", "{FILE}"); local $/;
$agent->post("https://{SERVER}:{PORT}/", Content => scalar <$file>);
"""
RUBY = f"""
require "socket"
require "openssl"
context = OpenSSL::SSL::SSLContext.new
context.set_params(verify_mode: 0OPTIONS)   # as Net::FTP, Net::HTTP and others do
s = OpenSSL::SSL::SSLSocket.new(TCPSocket.new("{SERVER}", {PORT}), context)
s.sync_close = true
s.connect
s.write(File.binread("{FILE}"))
s.close
"""
NODE = f"""
const s = require("tls").connect({{host: "{SERVER}", port: {PORT}, rejectUnauthorized: false}}, () =>
    s.end(require("fs").readFileSync("{FILE}")));
s.on("error", () => {{}});
"""

NGINX = f"""daemon off;
user root;
error_log {DIR}/nginx.log;
events {{ }}
http {{
    access_log off;
    server {{ listen {SERVER}:{PORT} ssl; root {DIR}; ssl_certificate {CERT}; ssl_certificate_key {KEY}; }}
}}
"""
LIGHTTPD = f"""server.modules = ("mod_openssl")
server.document-root = "{DIR}"
server.bind = "{SERVER}"
server.port = {PORT}
ssl.engine = "enable"
ssl.pemfile = "{CERT}"
ssl.privkey = "{KEY}"
"""
APACHE = f"""ServerRoot /etc/apache2
ServerName {SERVER}
PidFile {DIR}/apache.pid
ErrorLog {DIR}/apache.log
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
User www-data
Group www-data
Listen {SERVER}:{PORT} https
DocumentRoot {DIR}
SSLEngine on
SSLCertificateFile {CERT}
SSLCertificateKeyFile {KEY}
"""
HAPROXY = f"""global
    tune.bufsize 1000000
defaults
    mode http
    timeout connect 60s
    timeout client 60s
    timeout server 60s
frontend f
    bind {SERVER}:{PORT} ssl crt {BOTH}
    http-request return status 200 content-type text/plain file {FILE}
"""
H2O = f"""user: root
hosts:
  default:
    listen: {{ host: {SERVER}, port: {PORT}, ssl: {{ certificate-file: {CERT}, key-file: {KEY} }} }}
    paths:
      /: {{ file.dir: {DIR} }}
"""
HITCH = f"""frontend = "[{SERVER}]:{PORT}"
backend = "[127.0.0.1]:{PLAIN}"
pem-file = "{BOTH}"
workers = 1
user = "nobody"
"""
STUNNEL = f"""foreground = yes
pid =
[s]
accept = {SERVER}:{PORT}
connect = 127.0.0.1:{PLAIN}
cert = {BOTH}
"""
MOSQUITTO = f"""listener {PORT} {SERVER}
certfile {CERT}
keyfile {KEY}
allow_anonymous true
max_queued_bytes 0
"""
NRPE = f"""server_address={SERVER}
server_port={PORT}
nrpe_user=nobody
nrpe_group=nogroup
ssl_cert_file={CERT}
ssl_privatekey_file={KEY}
ssl_version=TLSv1.2+
command[say]=/bin/echo said
"""
RSYSLOG = f"""module(load="imfile")
input(type="imfile" file="{DIR}/lines" tag="t")
action(type="omfwd" target="{SERVER}" port="{PORT}" protocol="tcp" template="RSYSLOG_DebugFormat"
    streamDriver="ossl" streamDriverMode="1" streamDriverAuthMode="anon")
"""

VSFTPD = f"""listen=YES
listen_address={SERVER}
listen_port={PORT}
background=NO
anonymous_enable=NO
local_enable=YES
ssl_enable=YES
rsa_cert_file={CERT}
rsa_private_key_file={KEY}
ssl_ciphers=HIGH
require_ssl_reuse=NO
seccomp_sandbox=NO
secure_chroot_dir=/run/vsftpd/empty
"""
PROFTPD = f"""Include /etc/proftpd/modules.conf
LoadModule mod_tls.c
ServerType standalone
DefaultAddress {SERVER}
Port {PORT}
DefaultServer on
User proftpd
Group nogroup
UseIPv6 off
UseReverseDNS off
AuthOrder mod_auth_unix.c
DelayEngine off
ScoreboardFile /run/proftpd.scoreboard
PidFile /run/proftpd.pid
SystemLog none
TLSEngine on
TLSRequired on
TLSProtocol TLSv1.2 TLSv1.3
TLSOptions NoSessionReuseRequired
TLSECCertificateFile {CERT}
TLSECCertificateKeyFile {KEY}
"""

# By their names in the table of docs/howto.md, which says what is expected of each.
PROGRAMS = {
    "vsftpd": FtpServer(["sh", "-c", f"mkdir -p /run/vsftpd/empty && exec vsftpd {DIR}/vsftpd.conf"],
                        {"vsftpd.conf": VSFTPD}),
    "proftpd": FtpServer(["proftpd", "--nodaemon", "--config", DIR + "/proftpd.conf"], {"proftpd.conf": PROFTPD}),
    "nginx": Server(["nginx", "-c", DIR + "/nginx.conf"], {"nginx.conf": NGINX}),
    "lighttpd": Server(["lighttpd", "-D", "-f", DIR + "/lighttpd.conf"], {"lighttpd.conf": LIGHTTPD}),
    "lighttpd, 100 KB": Server(["lighttpd", "-D", "-f", DIR + "/lighttpd.conf"], {"lighttpd.conf": LIGHTTPD},
                               request=get("/small"), size=SMALL),
    "apache2": Server(["apache2", "-DFOREGROUND", "-f", DIR + "/apache.conf"], {"apache.conf": APACHE}),
    "haproxy": Server(["haproxy", "-db", "-f", DIR + "/haproxy.conf"], {"haproxy.conf": HAPROXY}),
    "h2o": Server(["h2o", "-c", DIR + "/h2o.conf"], {"h2o.conf": H2O}),
    "hitch": Server(["hitch", "--config", DIR + "/hitch.conf"], {"hitch.conf": HITCH}, plain=True),
    "stunnel": Server(["stunnel4", DIR + "/stunnel.conf"], {"stunnel.conf": STUNNEL}, plain=True),
    "gunicorn": Server(["gunicorn", "--chdir", DIR, "-b", f"{SERVER}:{PORT}", "--certfile", CERT,
                        "--keyfile", KEY, "app:app"], {"app.py": GUNICORN}),
    "redis": Server(["redis-server", "--port", "0", "--tls-port", str(PORT), "--bind", SERVER, "--save", "",
                     "--tls-cert-file", CERT, "--tls-key-file", KEY, "--tls-auth-clients", "no", "--protected-mode", "no"],
                    request=REDIS),
    "mosquitto": Server(["mosquitto", "-c", DIR + "/mosquitto.conf"], {"mosquitto.conf": MOSQUITTO},
                        request=MQTT, goodbye=mqtt(0xe0, b"")),
    "nrpe": Server(["nrpe", "-f", "-c", DIR + "/nrpe.conf"], {"nrpe.conf": NRPE},
                   request=nrpe(b"say"), size=1036),
    "openssl s_server": Server(["env", "-C", DIR, "openssl", "s_server", "-accept", str(PORT), "-cert", CERT,
                                "-key", KEY, "-WWW", "-quiet"]),
    "PHP, server": Server(["php", DIR + "/server.php"], {"server.php": PHP_SERVER}),
    "Python `ssl`, close()": Server(["python3", DIR + "/server.py"],
                                    {"server.py": PYTHON_SERVER.replace("CLOSE", "pass")}),
    "Python `ssl`, unwrap() without blocking": Client(["python3", DIR + "/client.py"],
                                                      {"client.py": PYTHON_CLIENT.replace("CLOSE", UNWRAP.format(""))}),
    "PHP, client": Client(["php", DIR + "/client.php"], {"client.php": PHP_CLIENT}),
    "socat": Client(["socat", "-u", f"OPEN:{FILE}", f"OPENSSL:{SERVER}:{PORT},verify=0"]),
    "ncat": Client(["ncat", "--ssl", "--send-only", SERVER, str(PORT)], stdin=FILE),
    "openssl s_client": Client(["openssl", "s_client", "-quiet", "-no_ign_eof", "-connect",
                                f"{SERVER}:{PORT}"], stdin=FILE),
    "Perl IO::Socket::SSL": Client(["perl", DIR + "/client.pl"], {"client.pl": PERL_CLIENT}),
    "Perl LWP": Client(["perl", DIR + "/lwp.pl"], {"lwp.pl": LWP}, answer=ANSWER),
    "Python `asyncio`": Client(["python3", DIR + "/asyncio_client.py"], {"asyncio_client.py": ASYNCIO}),
    "Python requests": Client(["python3", DIR + "/post.py"], {"post.py": REQUESTS}, answer=ANSWER),
    "rsyslogd": Client(["rsyslogd", "-n", "-i", DIR + "/rsyslog.pid", "-f", DIR + "/rsyslog.conf"],
                              {"rsyslog.conf": RSYSLOG}, lasts=True),
    "Ruby": Client(["ruby", DIR + "/client.rb"], {"client.rb": RUBY.replace("OPTIONS", "")}),
    "Ruby, options \\| 8": Client(["ruby", DIR + "/client8.rb"], {
        "client8.rb": RUBY.replace("OPTIONS", ", options: OpenSSL::SSL::OP_ALL | 8")}),
    "Node": Client(["node", DIR + "/client.js"], {"client.js": NODE}),
    "curl": Client(["curl", "-sk", "-H", "Expect:", "--data-binary", "@" + FILE,
                    f"https://{SERVER}:{PORT}/"], answer=ANSWER),
    "wget": Client(["wget", "-q", "--no-check-certificate", "--tries=1", "-O", "/dev/null",
                    "--post-file=" + FILE, f"https://{SERVER}:{PORT}/"], answer=ANSWER),
}
