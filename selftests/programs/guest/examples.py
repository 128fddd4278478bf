# SPDX-License-Identifier: GPL-2.0
"""The examples of docs/faq.md and docs/howto.md: two programs, and what the one loses in which mode."""
import os
import signal
import socket
import subprocess
import threading

import lab
from scene import (CERT, DIR, KEY, LIMIT, LISTEN, PORT, ROOT, SIZE, TIME_WAIT, Cannot, Peer, connect, listen, new_log,
                   note, over, sockets, start, until)
from table import NGINX, PLAIN, PROGRAMS, SERVER, STUNNEL, USER, VSFTPD

BIG = DIR + "/big"
BIG_SIZE, ANSWER_SIZE = 4 << 20, 1 << 20

EARLY = f"""<?php
$context = stream_context_create(["ssl" => ["local_cert" => "{DIR}/both.pem"]]);
$server = stream_socket_server("tls://{SERVER}:{PORT}", $n, $s,
    STREAM_SERVER_BIND | STREAM_SERVER_LISTEN, $context);
while (true) {{
    if (!($c = @stream_socket_accept($server, -1)))
        continue;
    while (rtrim(fgets($c)) !== "");
    fwrite($c, "HTTP/1.1 413 No\\r\\nContent-Length: {ANSWER_SIZE}\\r\\n\\r\\n" . str_repeat("x", {ANSWER_SIZE}));
    fclose($c);
}}
"""
LIGHTTPD = f"""server.modules = ("mod_openssl")
server.document-root = "{DIR}"
server.bind = "{SERVER}"
server.port = {PORT}
server.max-request-size = 64
ssl.engine = "enable"
ssl.pemfile = "{CERT}"
ssl.privkey = "{KEY}"
"""
HTTP2 = NGINX.replace("    server {", "    keepalive_requests 1;\n    http2 on;\n    server {")
GUNICORN = """
def app(environ, start_response):
    start_response("413 No", [("Content-Length", "2")])
    return [b"no"]
"""
POST = f"""
import requests
print(requests.post("https://{SERVER}:{PORT}/", data=open("{BIG}", "rb").read(), verify=False).status_code)
"""
RUBY = f"""
require "net/ftp"
ftp = Net::FTP.new("{SERVER}", port: {PORT}, ssl: {{verify_mode: 0 OPTIONS}}, private_data_connection: true, passive: true,
    username: "{USER}", password: "{USER}")
begin
  ftp.putbinaryfile("{BIG}", "big")
rescue Net::FTPError, SystemCallError => e
  puts e.message
end
puts ftp.last_response
"""
FIXED = f"""<?php
$context = stream_context_create(["socket" => ["bindto" => "0.0.0.0:40000"],
    "ssl" => ["verify_peer" => false, "verify_peer_name" => false]]);
for ($i = 1; $i <= 2; $i++) {{
    error_clear_last();
    $c = @stream_socket_client("tls://{SERVER}:{PORT}", $n, $s, 30, STREAM_CLIENT_CONNECT, $context);
    echo "$i: ", error_get_last()["message"] ?? "connected", "\\n";
    if ($c) {{
        fwrite($c, file_get_contents("{BIG}"));
        fclose($c);
    }}
}}
"""


class Stage:
    """Programs that are running, and what they said."""

    def __init__(self, mode):
        self.procs = []
        self.log = new_log()
        for namespace in (lab.CLIENT, lab.SERVER):
            lab.sysctl(namespace, "net.tls_drst.mode", str(mode))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for proc in self.procs:
            for how in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(proc.pid, how)
                    proc.wait(20)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    pass
        until("all connections are over",
              lambda: all(set(sockets(where, port)) <= {TIME_WAIT} for where in (lab.CLIENT, lab.SERVER)
                          for port in (PORT, PLAIN)))

    def serve(self, argv, port=PORT):
        """A server listens."""
        proc = start(lab.SERVER, argv, self.log)
        self.procs.append(proc)
        until(f"{argv[0]} listens", lambda: LISTEN in sockets(lab.SERVER, port), proc)

    def run(self, argv):
        """A client, to its end: what it said."""
        with open("/tmp/client.log", "w+", encoding="utf-8", errors="replace") as log:
            proc = start(lab.CLIENT, argv, log)
            self.procs.append(proc)
            try:
                proc.wait(LIMIT)
            except subprocess.TimeoutExpired as e:
                raise Cannot(f"{argv[0]} does not end") from e
            log.seek(0)
            return log.read().strip()

    def said(self):
        self.log.seek(0)
        return self.log.read()[-2000:]


def write(name, text):
    with open(f"{ROOT}{DIR}/{name}", "w", encoding="utf-8") as file:
        file.write(text)
    return f"{DIR}/{name}"


def counted(namespace, name):
    return lab.counters(namespace, "tls_drst_stat")[name]


def aborts():
    """RSTs at close() with unread data, on the server's side."""
    return lab.tcp_ext(lab.SERVER)["TCPAbortOnClose"]


def early_answer(mode):
    """A server answers 413 when it has the head of the request, and closes. How much of it arrives."""
    with Stage(mode) as stage:
        stage.serve(["php", write("early.php", EARLY)])
        said = stage.run(["curl", "-sk", "-H", "Expect:", "-o", "/tmp/answer", "-w", "%{http_code} %{size_download}",
                          "--data-binary", "@" + BIG, f"https://{SERVER}:{PORT}/"])
        note(f"early answer, mode {mode}: {said}")
        return int(said.split()[1])


def post(mode, argv):
    """A server answers while requests still writes. Does requests see the answer?"""
    with Stage(mode) as stage:
        stage.serve(argv)
        before = {name: counted(lab.SERVER, name) for name in ("TlsDrstCloseNotify", "TlsDrstHeld")}
        said = stage.run(["python3", "-W", "ignore", write("post.py", POST)]).splitlines()[-1]
        news = {name: counted(lab.SERVER, name) - value for name, value in before.items()}
        note(f"{argv[0]}, mode {mode}: {said[:100]} {news}")
        return said, news


def ruby(mode, options):
    """Net::FTP uploads: the server's last answer."""
    write("vsftpd.conf", VSFTPD + "write_enable=YES\n")
    with Stage(mode) as stage:
        stage.serve(PROGRAMS["vsftpd"].argv)
        said = stage.run(["ruby", write("put.rb", RUBY.replace("OPTIONS", options))])
        note(f"Ruby{options}, mode {mode}: {said.splitlines()[-1] if said else 'nothing'}")
        return said.splitlines()[-1][:3] if said else stage.said()


def fixed_port(mode):
    """Two uploads from the same local port, one after the other: what became of the second."""
    with Stage(mode) as stage, lab.within(lab.SERVER, listen) as listener:
        peers = []

        def sink():
            try:
                while True:
                    sock = listener.accept()[0]
                    sock.settimeout(20)     # the client's RST may be lost on the way
                    peers.append(Peer(sock, True, lab.SERVER, ""))
                    peers[-1].talk()
            except OSError:
                pass
        threading.Thread(target=sink, daemon=True).start()
        said = stage.run(["php", write("fixed.php", FIXED)]).splitlines()
        listener.shutdown(socket.SHUT_RDWR)     # accept() keeps it open
        for peer in peers:
            peer.end = peer.end or "given up"
        note(f"fixed port, mode {mode}: {said}")
        return said[-1]


def plain_leg(mode):
    """stunnel in front of a server that closes with the request's body unread."""
    with Stage(mode) as stage:
        stage.serve(["python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", DIR, str(PLAIN)], PLAIN)
        write("stunnel.conf", STUNNEL)
        stage.serve(["stunnel4", DIR + "/stunnel.conf"])
        before = aborts()
        peer = Peer(lab.within(lab.CLIENT, connect), False, lab.SERVER, "")
        peer.talk(f"GET /file HTTP/1.1\r\nHost: {SERVER}\r\nConnection: close\r\nContent-Length: 20000\r\n\r\n".encode() +
                  bytes(20000))
        note(f"plain leg, mode {mode}: {len(peer.got)} bytes, then {peer.end}; {aborts() - before} RST for unread data")
        return len(peer.got), aborts() - before


def http2(mode):
    """nginx answers once and lingers. What it logs then."""
    with Stage(mode) as stage:
        stage.serve(["nginx", "-c", write("nginx-http2.conf", HTTP2)])
        write("nginx.log", "")
        said = stage.run(["curl", "-sk", "-o", "/tmp/answer", "-w", "%{http_version} %{http_code} %{size_download}",
                          f"https://{SERVER}:{PORT}/file"])
        until("the connection is over", lambda: over(lab.SERVER, PORT))
    with open(f"{ROOT}{DIR}/nginx.log", encoding="utf-8") as log:
        errors = [line for line in log if "Input/output error" in line]
    note(f"nginx with HTTP/2, mode {mode}: {said}; {errors}")
    return said == f"2 200 {SIZE}" and bool(errors)


def network_goes():
    """The sender's network goes while its connection is held: how the hold ends, and what arrived."""
    def held(name="TlsDrstCurrHeld"):
        return counted(lab.CLIENT, name)

    def accept(peers, listener):
        peers.append(Peer(listener.accept()[0], True, lab.CLIENT, ""))
        peers[0].talk()

    program, peers = PROGRAMS["PHP, client"], []
    write("client.php", program.files["client.php"])
    lab.sysctl(lab.CLIENT, "net.tls_drst.timeout_ms", "3000")
    try:
        with Stage(2) as stage, lab.within(lab.SERVER, listen) as listener:
            timed_out = held("TlsDrstTimedOut")
            reader = threading.Thread(target=accept, args=(peers, listener), daemon=True)
            reader.start()
            stage.run(program.argv)
            begun = held()
            lab.run("ip", "-n", lab.CLIENT, "link", "set", "eth0", "down")
            until("the hold is over", lambda: not held())
            # it may wait for the rest of a record
            socket.socket.shutdown(peers[0].sock, socket.SHUT_RDWR)
            reader.join()
            note(f"the network goes: held {begun}, {len(peers[0].got)} bytes, then {peers[0].end}")
            return begun, held("TlsDrstTimedOut") - timed_out, len(peers[0].got)
    finally:
        lab.run("ip", "-n", lab.CLIENT, "link", "set", "eth0", "up")
        lab.sysctl(lab.CLIENT, "net.tls_drst.timeout_ms", "60000")


# ---------------------------------------------------------------- what they come to: good, in words, more of it

def check_early():
    got = {mode: early_answer(mode) for mode in (0, 2)}
    return (got[0] < ANSWER_SIZE == got[2], f"an early answer: {got[0]} bytes in mode 0, {got[2]} in mode 2", "")


def check_post(argv, notify):
    found = {mode: post(mode, argv) for mode in (0, 2)}
    # Whether the client, which still writes, sees the answer depends on how far it has got.
    return (all((news["TlsDrstCloseNotify"] > 0) == notify and (notify or not news["TlsDrstHeld"])
                for _, news in found.values()),
            f"{argv[0]}: " + ("close_notify behind an early answer" if notify else "no close_notify, so nothing is held"), found)


def check_lighttpd():
    return check_post(["lighttpd", "-D", "-f", write("small.conf", LIGHTTPD)], True)


def check_gunicorn():
    write("app.py", GUNICORN)
    return check_post(PROGRAMS["gunicorn"].argv, False)


def check_ruby():
    option = ", options: OpenSSL::SSL::OP_ALL | 8"
    found = [ruby(0, option), ruby(2, option), ruby(2, "")]
    return found == ["426", "226", "426"], "Ruby's Net::FTP: 426; with the option 226 in mode 2", found


def check_port():
    second = {mode: fixed_port(mode) for mode in (0, 2)}
    return second[0] == "2: connected" and "in use" in second[2], "a local port stays taken in mode 2", second


def check_plain_leg():
    found = {mode: plain_leg(mode) for mode in (0, 2)}
    return (all(got < SIZE and resets for got, resets in found.values()),
            "a plain backend that resets: the end is lost in any mode", found)


def check_network():
    begun, timed_out, got = network_goes()
    return (begun == timed_out == 1 and got < SIZE, f"the network goes after the exit: {got} of {SIZE} bytes",
            f"held {begun}, timed out {timed_out}")


def check_http2():
    found = {mode: http2(mode) for mode in (0, 2)}
    return all(found.values()), "nginx with HTTP/2 and kTLS to receive: EIO at its lingering close, in any mode", found


def check(ok, release):
    """Each example, without the module and with it."""
    with open(ROOT + BIG, "wb") as file:
        file.write(bytes(BIG_SIZE))
    examples = [check_early, check_lighttpd, check_gunicorn, check_ruby, check_port, check_plain_leg, check_network]
    if release == "trixie":     # before, OpenSSL does not let the kernel receive TLS 1.3
        examples.append(check_http2)
    for example in examples:
        try:
            ok(*example())
        except (Cannot, OSError) as e:
            ok(False, f"{example.__name__} runs", e)
