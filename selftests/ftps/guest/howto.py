# SPDX-License-Identifier: GPL-2.0
"""What docs/howto.md says of nginx, Python and curl: who uses kernel TLS, and by which switch."""
import os
import subprocess
import sys

from peers import CERT, HOST, KEY

PORTS = {"ssl_conf_command Options KTLS;": 4431, "": 4432}
NGINX = """daemon off;
user root;
pid {work}/nginx.pid;
error_log {work}/nginx.log;
events {{ }}
http {{
	access_log off;
	sendfile on;
	ssl_certificate {cert};
	ssl_certificate_key {key};
	{servers}
}}
"""
SERVER = "server {{ listen {host}:{port} ssl; root {work}/www; {switch} }}\n"
# What a program has without Options = KTLS in openssl.cnf.
WITHOUT = {**os.environ, "OPENSSL_CONF": "/dev/null"}

# An argument that is not empty is the option's number: it has a name since Python 3.12.
CLIENT = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[3])
if sys.argv[4]:
    context.options |= int(sys.argv[4])
with context.wrap_socket(socket.create_connection(sys.argv[1:3]), server_hostname=sys.argv[1]) as s:
    s.sendall(b"GET /file HTTP/1.0\\r\\n\\r\\n")
    while s.recv(65536):
        pass
"""
ASYNC_CLIENT = """
import asyncio, ssl, sys
async def main():
    context = ssl.create_default_context(cafile=sys.argv[3])
    reader, writer = await asyncio.open_connection(*sys.argv[1:3], ssl=context)
    writer.write(b"GET /file HTTP/1.0\\r\\n\\r\\n")
    await reader.read()
    writer.close()
asyncio.run(main())
"""


def start_nginx(work):
    servers = "".join(SERVER.format(host=HOST, port=port, work=work, switch=switch)
                      for switch, port in PORTS.items())
    conf = work + "/nginx.conf"
    with open(conf, "w", encoding="ascii") as file:
        file.write(NGINX.format(work=work, cert=CERT, key=KEY, servers=servers))
    return subprocess.Popen(["nginx", "-c", conf], env=WITHOUT, stdin=subprocess.DEVNULL)


def check(ok, run, stat, sent):
    """Each line: a program and how many more connections send by kernel TLS then."""
    work = os.path.dirname(sent)
    os.makedirs(work + "/www", exist_ok=True)
    os.link(sent, work + "/www/file")
    nginx = start_nginx(work)

    def sends(what, want, argv, **more):
        before = stat("/proc/net/tls_stat").get("TlsTxSw", 0)
        done = run(argv, **more)
        got = stat("/proc/net/tls_stat").get("TlsTxSw", 0) - before
        ok(done.returncode == 0 and got == want, f"{what}: {'no ' if not want else ''}kernel TLS",
           f"exit {done.returncode}, {got} more\n{done.stdout}{done.stderr}")

    def curl(port):
        return ["curl", "-sS", "--retry", "60", "--retry-delay", "1", "--retry-connrefused",
                "--cacert", CERT, "-o", work + "/got", f"https://{HOST}:{port}/file"]

    def python(program, option=""):
        return [sys.executable, "-c", program, HOST, str(PORTS[""]), CERT, option]

    with_switch, without = PORTS.values()
    # curl reads openssl.cnf, with Options = KTLS, in both.
    sends("nginx with ssl_conf_command, curl", 1, curl(with_switch))
    sends("nginx without, curl", 0, curl(without))
    sends("Python, openssl.cnf", 1, python(CLIENT))
    sends("Python without", 0, python(CLIENT), env=WITHOUT)
    sends("Python, the context's options", 1, python(CLIENT, str(1 << 3)), env=WITHOUT)
    sends("Python's asyncio, openssl.cnf", 0, python(ASYNC_CLIENT))
    nginx.terminate()
    nginx.wait(30)
