#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""device.py [options] MODE ADDRESS HOST VENDOR-CA BOX-CA [CASE...]: TLS clients as devices have them.

  -s ADDRESS  from there   -k PID  knock: kill -9 this process after a third of the time   -t S  for so long (2)

MODE
  cases    CASE is ADDRESS[=VERSION]/WAY*N,...: from there (with TLS 1.2 or 1.3 only) N connections at once of each WAY in
           turn; all cases at the same time. Prints for each how many of them failed: did not get the vendor's 3000 bytes.
  knock    trusts, a new connection every 20 ms; prints how many failed of those that began when the process was dead
  hello    sends a hello with GREASE for ECH; prints "server_hello" if one comes back
  half, silent   drips half of its hello, or sends all of it, and then no more; prints how it ended, or "open"
  names    CASE is a name in hex: a hello for each, all else as it should be; prints what came back: the record's type
  flood    CASE is a number: so many connections, then on each a hello and no more; prints "sent", goes at the end of stdin"
WAY
  trusts   takes the box's certificate and the vendor's: GET /files/small
  alert, fin, rst   takes the vendor's only; what it does when it gets another
  pinned, pinned_rst   looks at the certificate after the handshake, and closes without a request
  upgrade, odd, other   takes both; wants a WebSocket, sends a field that only the vendor takes, names another host
"""
import argparse
import os
import signal
import socket
import ssl
import struct
import sys
import threading
import time

p = argparse.ArgumentParser()
p.add_argument('-s', dest='source')
p.add_argument('-k', dest='kill', type=int)
p.add_argument('-t', dest='time', type=float, default=2)
for a in 'mode', 'address', 'host', 'vendor_ca', 'box_ca':
    p.add_argument(a)
p.add_argument('cases', nargs='*')
o = p.parse_args()


def context(way='trusts', version=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.load_verify_locations(o.vendor_ca)
    if way not in ('alert', 'fin', 'rst'):
        c.load_verify_locations(o.box_ca)
    if version:
        c.minimum_version = c.maximum_version = \
            ssl.TLSVersion.TLSv1_2 if version == '1.2' else ssl.TLSVersion.TLSv1_3
    return c


def connect(source=o.source):
    return socket.create_connection((o.address, 443), 10, (source, 0) if source else None)


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()


class Tls:
    """The handshake in memory, so that what is sent is ours to decide."""

    def __init__(self, sock, ctx, name=o.host):
        self.sock, self.i, self.o = sock, ssl.MemoryBIO(), ssl.MemoryBIO()
        ctx.check_hostname = name is not None
        self.ssl = ctx.wrap_bio(self.i, self.o, server_hostname=name)

    def flush(self):
        if self.o.pending:
            self.sock.sendall(self.o.read())

    def run(self, f, *a):
        while True:
            try:
                r = f(*a)
                self.flush()
                return r
            except ssl.SSLWantReadError:
                self.flush()
                b = self.sock.recv(65536)
                if not b:
                    raise ConnectionError('closed')
                self.i.write(b)

    def answer(self):
        b = b''
        try:
            while True:
                d = self.run(self.ssl.read, 65536)
                if not d:
                    break
                b += d
        except (ConnectionError, ssl.SSLError):
            pass
        return b


def request(way):
    extra = {'upgrade': 'Upgrade: websocket\r\nConnection: Upgrade, close\r\n', 'odd': 'A@B: C\r\n'}
    host = 'b.vendor.example' if way == 'other' else o.host
    return ('GET /files/small HTTP/1.1\r\nHost: %s\r\n%s\r\n' %
            (host, extra.get(way, 'Connection: close\r\n') +
             ('Connection: close\r\n' if way == 'odd' else ''))).encode()


def once(ctx, way, source):
    s = connect(source)
    t = Tls(s, ctx)
    try:
        t.run(t.ssl.do_handshake)
    except ssl.SSLCertVerificationError:
        if way == 'rst':
            reset(s)
        else:
            if way == 'alert':
                t.flush()
            s.close()
        return False
    if way.startswith('pinned'):
        issuer = dict(x[0] for x in t.ssl.getpeercert()['issuer'])
        if issuer.get('commonName') != 'vendor CA':
            reset(s) if way == 'pinned_rst' else s.close()
            return False
    t.run(t.ssl.write, request(way))
    head, _, body = t.answer().partition(b'\r\n\r\n')
    s.close()
    return b' 200 ' in head.split(b'\r\n')[0] and len(body) == 3000


def tried(ctx, way, source):
    try:
        return once(ctx, way, source)
    except (OSError, ssl.SSLError) as e:
        print('#', source, way, repr(e), file=sys.stderr)
        return False


def together(n, f):
    threads = [threading.Thread(target=f, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def several(way, n, source, version):
    ctx, ok, gate = context(way, version), [False] * n, threading.Barrier(n)

    def one(i):
        gate.wait()
        ok[i] = tried(ctx, way, source)

    together(n, one)
    return n - sum(ok)


def cases():
    results = [''] * len(o.cases)

    def one(i):
        source, ways = o.cases[i].split('/')
        address, _, version = source.partition('=')
        failed = [several(w.split('*')[0], int(w.split('*')[1]), address, version) for w in ways.split(',')]
        results[i] = '%s: %s' % (o.cases[i], ' '.join(map(str, failed)))

    together(len(o.cases), one)
    print('\n'.join(results))


def knock():
    ctx, results, threads, dead = context(), [], [], [None]

    def one():
        begun = time.monotonic()
        results.append((begun, tried(ctx, 'trusts', o.source)))

    def kill():
        fd = os.pidfd_open(o.kill)
        os.kill(o.kill, signal.SIGKILL)
        import select
        select.select([fd], [], [])
        dead[0] = time.monotonic()

    begin = time.monotonic()
    killer = threading.Timer(o.time / 3, kill)
    killer.start()
    while time.monotonic() - begin < o.time or dead[0] is None:
        threads.append(threading.Thread(target=one))
        threads[-1].start()
        time.sleep(0.02)
    for t in threads:
        t.join()
    after = [r for r in results if r[0] > dead[0]]
    print(sum(not ok for _, ok in after), 'of', len(after))


def hello_bytes(name=o.host):
    t = Tls(None, context(), name)
    try:
        t.ssl.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return t.o.read()


def with_ech(hello):
    """GREASE: an outer encrypted_client_hello of random bytes (RFC 9849, 6.2)."""
    return with_extension(hello, 0xfe0d, b'\0' + struct.pack('>HHB', 1, 1, 7) + struct.pack('>H', 32) +
                          os.urandom(32) + struct.pack('>H', 144) + os.urandom(144))


def with_extension(hello, kind, body):
    ext = struct.pack('>HH', kind, len(body)) + body
    h = hello[9:]  # behind the heads of the record and the handshake message
    at = 2 + 32
    at += 1 + h[at]
    at += 2 + struct.unpack_from('>H', h, at)[0]
    at += 1 + h[at]
    n = struct.unpack_from('>H', h, at)[0]
    h = h[:at] + struct.pack('>H', n + len(ext)) + h[at + 2:] + ext
    return hello[:3] + struct.pack('>H', len(h) + 4) + b'\1' + struct.pack('>I', len(h))[1:] + h


def names():
    nameless = hello_bytes(None)
    for case in o.cases:
        name = bytes.fromhex(case)
        s = connect()
        s.sendall(with_extension(nameless, 0, struct.pack('>HBH', len(name) + 3, 0, len(name)) + name))
        print({b'\x16': 'handshake', b'\x15': 'alert', b'': 'closed'}.get(s.recv(1)))
        reset(s)


def flood():
    hello, socks = hello_bytes(), [connect() for _ in range(int(o.cases[0]))]
    for s in socks:
        s.sendall(hello)
    print('sent', flush=True)
    sys.stdin.read()


def hello():
    s = connect()
    s.sendall(with_ech(hello_bytes()))
    b = s.recv(6, socket.MSG_WAITALL)
    print('server_hello' if b[:1] == b'\x16' and b[5:6] == b'\2' else b)
    reset(s)


def stuck():
    """Drips its hello, or sends it whole and then nothing."""
    b, s, began = hello_bytes(), connect(), time.monotonic()
    s.settimeout(0.1)
    end, left = None, b if o.mode == 'half' else b''
    if o.mode == 'silent':
        s.sendall(b)
    while end is None and time.monotonic() - began < o.time:
        try:
            if left and len(left) > len(b) // 2:
                s.send(left[:1])
                left = left[1:]
            end = 'closed' if not s.recv(65536) else None
        except TimeoutError:
            pass
        except OSError:
            end = 'reset'
    print(end or 'open')


{'cases': cases, 'knock': knock, 'hello': hello, 'half': stuck, 'silent': stuck,
 'names': names, 'flood': flood}[o.mode]()
