#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""upload.py BOX FILE RESTART, with PASSWORD in the environment: gives the box an update as its admin page does, over one
connection, waits for what becomes of it, and prints its state and what is said of it."""
import base64
import http.client
import json
import os
import ssl
import sys
import time

box, path, restart = sys.argv[1:]
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
wire = http.client.HTTPSConnection(box, timeout=120, context=context)
session = {}


def ask(method, what, body=None):
    headers = {"Content-Type": "application/json"} if body else {}
    wire.request(method, f"/api/v1/{what}", json.dumps(body) if body else None, headers | session)
    answer = wire.getresponse()
    text = answer.read()
    if answer.status >= 300:
        sys.exit(f"{what}: {answer.status} {text.decode()}")
    cookie = answer.getheader("Set-Cookie")
    if cookie:
        session["Cookie"] = cookie.split(";")[0]
    return json.loads(text) if text else None


session["X-Tarn-CSRF"] = ask("POST", "session", {"password": os.environ["PASSWORD"]})["csrf"]
begun = ask("POST", "appliance/upload", {"bytes": os.stat(path).st_size})
at = 0
with open(path, "rb") as file:
    while piece := file.read(begun["piece"]):
        at = ask("POST", "appliance/upload/piece",
                 {"upload": begun["upload"], "at": at, "bytes": base64.b64encode(piece).decode()})["at"]
print(f"# {at} bytes are there", file=sys.stderr)
ask("POST", "appliance/update", {"upload": begun["upload"], "restart": restart})
end = time.monotonic() + 240
while time.monotonic() < end:
    update = ask("GET", "appliance")["update"]
    if update["state"] in ("refused", "installed"):
        print(update["state"], update["text"])
        break
    time.sleep(1)
