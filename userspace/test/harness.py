# SPDX-License-Identifier: GPL-2.0
"""What the tests of ftps share: results in TAP, files, our server and client, and two peers that do
as a test says: a server (Fake) and a client (Raw).

Nothing here or in the tests depends on how fast the machine is: limits are there so that a hang
becomes a failure, and are long.
"""
import faulthandler
import hashlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback

FTPS = os.path.abspath(sys.argv[1])
WORK = tempfile.mkdtemp(prefix="ftps-check.")
LIMIT = 240     # seconds: only something that hangs takes so long
# Seconds, for time-outs that are to run out. What else there is to do must be done sooner, so
# that a slow guest needs more.
SHORT = os.environ.get("FTPS_SHORT", "2")
CERT = os.path.join(WORK, "cert.pem")
KEY = os.path.join(WORK, "key.pem")
USER, PASSWORD = "joe", "s3cr3t pass"
# Only the tests that are marked with @ktls_matters.
KTLS_ONLY = "FTPS_KTLS_ONLY" in os.environ
# The module under test elsewhere changes what careless endings do.
VANILLA = not os.path.exists("/proc/net/tls_drst_stat")

(COMPLETE, LOCAL, USAGE, TRUNCATED, RESET, REFUSED, CERTIFICATE, NETWORK, PROTOCOL,
 UNCONFIRMED, TIMEOUT) = range(11)

# A shell's background job ignores SIGINT, and so would all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

count = 0
failures = 0


def ok(good, what, detail=None):
    global count, failures
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {what}", flush=True)
    if not good:
        failures += 1
        for line in str(detail).splitlines():
            print("#   " + line, flush=True)
    return good


def skip(what, why):
    global count
    count += 1
    print(f"ok {count} - {what} # SKIP {why}", flush=True)


def is_status(run, want, what):
    return ok(run.returncode == want, f"{what}: exit {want}",
              f"exit {run.returncode}\n{run.stdout}\n{run.stderr}")


# ---------------------------------------------------------------- files and certificates

def path(name):
    return os.path.join(WORK, name)


def make_file(name, size):
    with open(path(name), "wb") as f:
        f.write(os.urandom(size))
    return path(name)


def make_secret(name, text):
    """A file that others cannot read."""
    with open(path(name), "w", opener=lambda *a: os.open(*a, 0o600)) as f:
        f.write(text)
    return path(name)


def sha(name):
    with open(name, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def same(a, b):
    return os.path.exists(a) and os.path.exists(b) and sha(a) == sha(b)


def make_cert(cert, key, names):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
                    "-days", "2", "-subj", "/CN=ftps check", "-addext",
                    "subjectAltName=" + names],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


# ---------------------------------------------------------------- our server, our client

class Server:
    """ftps serve, in a folder of its own."""

    def __init__(self, *options, host="127.0.0.1", login=None, program=(FTPS,)):
        self.dir = tempfile.mkdtemp(prefix="srv.", dir=WORK)
        if login is None:
            login = ("--user", USER, "--password-file", path("password"))
        self.errors = open(path("serve.err"), "w+")
        at = f"[{host}]:0" if ":" in host else f"{host}:0"
        self.proc = subprocess.Popen(
            [*program, "serve", "--json", "--listen", at, "--cert", CERT, "--key", KEY,
             *login, *options, self.dir], stdout=subprocess.PIPE, stderr=self.errors, text=True,
            # Nobody may look into a process that was root's, the leak checker neither.
            env={**os.environ, **({"ASAN_OPTIONS": "detect_leaks=0"} if "--run-as" in options
                                  else {})})
        first = self.proc.stdout.readline()
        if not first:
            raise RuntimeError("no server: " + open(self.errors.name).read())
        self.host = host
        self.port = json.loads(first)["port"]

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.proc.send_signal(signal.SIGTERM)
        self.proc.communicate(timeout=LIMIT)
        self.errors.seek(0)
        said = self.errors.read()
        self.errors.close()
        # Built with sanitizers, it may have something to say that no client sees.
        if "Sanitizer" in said or "runtime error" in said:
            ok(False, "the server's sanitizers are silent", said)

    def file(self, name):
        return os.path.join(self.dir, name)

    def url(self, name=""):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ftps://{USER}@{host}:{self.port}/{name}"

    def sessions(self):
        """The processes that serve a client now."""
        pid = self.proc.pid
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return f.read().split()

    def line(self, wanted="op"):
        """The report of the next transfer or change, or of another event."""
        while True:
            line = json.loads(self.proc.stdout.readline())
            if wanted in line or line.get("event") == wanted:
                return line


def run(*args, timeout=LIMIT, **more):
    return subprocess.run([FTPS, *args], capture_output=True, text=True, timeout=timeout,
                          errors="replace", stdin=subprocess.DEVNULL, **more)


def put(server, file, *options, name=None, **more):
    return run("put", "--json", "--cacert", CERT, *options, file,
               server.url(name or os.path.basename(file)), **more)


def get(server, name, to, *options, **more):
    return run("get", "--json", "--cacert", CERT, *options, server.url(name), to, **more)


def facts(done):
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {}


def no_leftovers(folder):
    left = [n for n in os.listdir(folder) if n.startswith(".ftps.")]
    return ok(not left, "no temporary file is left", left)


# ---------------------------------------------------------------- a server that misbehaves

class Fake:
    """One control connection, played by a function; knows just enough FTP."""

    def __init__(self, play, port=0):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.play = play
        self.host = "127.0.0.1"
        self.connected = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.listener.close()
        self.thread.join(LIMIT)

    url = Server.url

    def work(self):
        try:
            self.sock = self.listener.accept()[0]
            self.sock.settimeout(LIMIT)
            self.connected.set()
            self.play(self)
        except OSError:
            pass
        finally:
            self.sock.close()

    def say(self, text):
        self.sock.sendall(text.encode("latin-1") + b"\r\n")

    def hear(self, verb):
        line = b""
        while not line.endswith(b"\n"):
            c = self.sock.recv(1)
            if not c:
                raise OSError("client left")
            line += c
        assert line.decode().startswith(verb), line
        return line.decode().strip()

    def context(self):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(CERT, KEY)
        return ctx

    def to_tls_login(self):
        self.say("220 fake")
        self.hear("AUTH TLS")
        self.say("234 ok")
        self.sock = self.context().wrap_socket(self.sock, server_side=True)
        self.hear("USER")
        self.say("331 ok")
        self.hear("PASS")
        self.say("230 ok")

    def to_login(self):
        self.to_tls_login()
        for verb in ("PBSZ", "PROT", "TYPE"):
            self.hear(verb)
            self.say("200 ok")

    def data_port(self):
        self.data_listener = socket.create_server(("127.0.0.1", 0))
        return self.data_listener.getsockname()[1]

    def to_transfer(self, verb):
        """A put or a get, up to its command"""
        self.to_login()
        for question in ("SIZE", "MDTM") if verb == "RETR" else ():
            self.hear(question)
            self.say("502 no")
        return self.to_command(verb)

    def to_command(self, verb):
        """An extended passive data connection, up to the command that uses it"""
        port = self.data_port()
        self.hear("EPSV")
        self.say(f"229 ok (|||{port}|)")
        return self.hear(verb)

    def to_stor(self):
        """A put, up to its data"""
        self.to_transfer("STOR")
        self.say("150 ok")

    def data(self):
        raw = self.data_listener.accept()[0]
        self.data_listener.close()
        return self.context().wrap_socket(raw, server_side=True)

    def receive(self):
        """A data connection, to its clean end"""
        with self.data() as data:
            while data.recv(65536):
                pass
            data.unwrap()


# ---------------------------------------------------------------- a client that misbehaves

def client_context(version=None):
    ctx = ssl.create_default_context(cafile=CERT)
    # Python takes a cut for an end unless told otherwise.
    ctx.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    if version:
        ctx.minimum_version = ctx.maximum_version = version
    return ctx


class Raw:
    """A client that says what it likes."""

    def __init__(self, server, tls=True, login=True, ctx=None, room=None):
        self.sock = socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET)
        self.sock.settimeout(LIMIT)
        if room:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.sock.connect((server.host, server.port))
        self.ctx = ctx
        self.file = self.sock.makefile("rb")
        self.reply()
        if tls:
            self.ask("AUTH TLS")
            self.ctx = ctx or client_context()
            self.sock = self.ctx.wrap_socket(self.sock, server_hostname=server.host)
            self.file = self.sock.makefile("rb")
        if login:
            self.ask("USER " + USER)
            self.ask("PASS " + PASSWORD)

    def reply(self):
        while True:
            line = self.file.readline().decode("latin-1")
            if not line or line[3:4] != "-" and not line.startswith(" "):
                return line.strip()

    def ask(self, line):
        self.sock.sendall(line.encode("latin-1") + b"\r\n")
        return self.reply()

    def protect(self):
        self.ask("PBSZ 0")
        self.ask("PROT P")

    def epsv(self):
        return int(self.ask("EPSV").split("|")[3])

    def data(self, port, session="ours"):
        """A data connection with TLS, by default resuming our session."""
        raw = socket.create_connection((self.sock.getpeername()[0], port), timeout=LIMIT)
        return self.ctx.wrap_socket(raw, server_hostname=raw.getpeername()[0],
                                    session=self.sock.session if session == "ours" else session,
                                    suppress_ragged_eofs=False)

    def begin(self, command):
        """A transfer, up to its data connection."""
        port = self.epsv()
        self.sock.sendall(command.encode("latin-1") + b"\r\n")
        self.reply()
        return self.data(port)

    def fetch(self, command):
        """Return: (what it sends, its reply)."""
        with self.begin(command) as data:
            got = b"".join(iter(lambda: data.recv(65536), b""))
            data.unwrap()
        return got, self.reply()

    def close(self):
        self.sock.close()


# ---------------------------------------------------------------- main

def until(condition, what):
    """Wait for a state that raises no event. Return: what the condition became."""
    for _ in range(LIMIT * 20):
        state = condition()
        if state:
            return state
        time.sleep(0.05)
    raise RuntimeError("in vain waited for " + what)


def ktls_matters(test):
    """Marks a test whose result depends on how records are written, read and ended."""
    test.ktls_matters = True
    return test


def run_tests(tests):
    """All functions test_*, or those whose name contains a word of the command line."""
    make_secret("password", PASSWORD + "\n")
    # Where no test says otherwise the netrc knows the password.
    os.mkdir(path("home"))
    os.environ["HOME"] = path("home")
    make_secret("home/.netrc", f'default login {USER} password "{PASSWORD}"\n')
    make_cert(CERT, KEY, "IP:127.0.0.1,IP:::1,DNS:localhost")
    # Ignored where nohup(1), or a shell's &, has started us; and then by ftps, too.
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(sig) == signal.SIG_IGN:
            signal.signal(sig, signal.SIG_DFL)
    # Who ends us for taking too long is told where we are.
    faulthandler.register(signal.SIGTERM, chain=True)
    wanted = sys.argv[2:]
    for name, test in list(tests.items()):
        if not name.startswith("test_") or (wanted and not any(w in name for w in wanted)):
            continue
        if KTLS_ONLY and not hasattr(test, "ktls_matters"):
            continue
        print("# " + name, flush=True)
        begun = time.monotonic()
        try:
            test()
        except Exception as e:  # pylint: disable=broad-except
            ok(False, f"{name} goes to its end", repr(e))
            traceback.print_exc()
        print(f"# took {time.monotonic() - begun:.1f} s", flush=True)
    print(f"1..{count}")
    shutil.rmtree(WORK, ignore_errors=True)
    return 1 if failures else 0
