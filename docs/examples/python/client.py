"""A client of Parley: one device, over TLS, that loses and doubles nothing.

It follows docs/protocol.md; the names in parentheses are its headings. What it knows is kept in
one file, written before it acts on it, so that it may be killed at any moment.
"""

import asyncio
import hashlib
import http.client
import json
import os
import pathlib
import random
import ssl
import time
import urllib.parse

import proto
from frames import Frames, frame

TEXT, EDIT, DELETE = 1, 2, 3
DIRECT = 1
RECEIPTS = 1

# Retry classes (Errors); what is in none of them is `retry_after`.
RETRY_NOW = {105, 209, 210, 504, 505, 506}
SIGN_IN = {200, 202}
STOP = {*range(100, 105), *range(106, 110), 201, *range(203, 209), 211, 212}
STOP |= {*range(300, 308), *range(309, 318), 320, 321}
CURSOR_AHEAD = 306


class Failed(Exception):
    """An error of the server's table: number, text, and the wait it asks for."""

    def __init__(self, code, text="", retry_after_ms=0):
        super().__init__(f"{code} {text}")
        self.code, self.retry_after_ms = code, retry_after_ms


class Ended(Exception):
    """The connection ended; `code` says why, 0 when nothing does."""

    def __init__(self, code=0, retry_after_ms=0):
        super().__init__(f"the session ended ({code})")
        self.code, self.retry_after_ms = code, retry_after_ms


def delivered_every_ms(members, user):
    """Milliseconds from one `Delivered` to the next in a conversation (Cursors)."""
    middle = min(10 * members, 2000)
    return 100 if middle <= 100 else max(middle * (384 + user[15]) // 512, 100)


class Trust:
    """Either one pinned certificate, by its SHA-256 in hex, or the system's roots."""

    def __init__(self, fingerprint=None):
        self.fingerprint = fingerprint and fingerprint.lower()

    def context(self, *alpn):
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(alpn)
        if self.fingerprint:
            # The name doesn't matter then; the handshake's signature is checked all the same.
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def check(self, certificate):
        if self.fingerprint and hashlib.sha256(certificate).hexdigest() != self.fingerprint:
            raise ssl.SSLError("the server shows another certificate than the pinned one")


def post(address, trust, path, body):
    """One request of the HTTP API; 200 and 201 give the answer's JSON."""
    host, port = address
    connection = http.client.HTTPSConnection(host, port, timeout=30, context=trust.context("http/1.1"))
    try:
        connection.connect()
        trust.check(connection.sock.getpeercert(binary_form=True))
        headers = {"Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status in (200, 201):
        return content
    error = content["error"]
    raise Failed(error["code"], error["text"], error.get("retry_after_ms", 0))


class Store:
    """What a device must not lose, in one file that is replaced as a whole."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.data = {"token": "", "position": 0, "conversations": {}, "outbox": []}
        if self.path.exists():
            self.data = json.loads(self.path.read_text())

    def save(self):
        new = self.path.with_suffix(".new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self.data, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)


class Client:
    """Calls `on_entry(conversation, entry)` once for each new entry, in order of seq, and
    `on_notice(text)` for people. What both send with `send_text` is kept before they return."""

    def __init__(self, server, trust, name, password, device, path, on_entry, on_notice):
        parts = urllib.parse.urlsplit(server)
        self.address = (parts.hostname, parts.port or 7443)
        self.trust, self.name, self.password, self.device = trust, name, password, device
        self.store = Store(path)
        self.on_entry, self.on_notice = on_entry, on_notice
        self.user = b""
        self.connected = asyncio.Event()  # From Welcome to the end of the session.
        self.reading = False
        self.outbox_grew = asyncio.Event()

    # Accounts.

    async def sign_in(self, path="/v1/login"):
        label = {"name": self.device, "platform": "python"}
        body = {"name": self.name, "password": self.password, "device": label}
        answer = await asyncio.to_thread(post, self.address, self.trust, path, body)
        self.store.data["token"] = answer["token"]
        self.store.save()

    async def sign_up(self):
        await self.sign_in("/v1/accounts")

    # What is kept.

    def conversation(self, id):
        """`held`: everything up to there was shown. `delivered`: so far the server knows."""
        new = {"kind": 0, "members": {}, "held": 0, "delivered": 0}
        return self.store.data["conversations"].setdefault(id.hex(), new)

    def send_text(self, peer, text):
        """Puts a message for the user `peer` into the outbox; it goes out when it can."""
        body = proto.encode("Text", {"text": text})
        message = {"id": os.urandom(16).hex(), "peer": peer.hex(), "body": body.hex()}
        self.store.data["outbox"].append(message)
        self.store.save()
        self.outbox_grew.set()
        return message["id"]

    # The session.

    async def run(self):
        """Stays connected until told to stop, with backoff (Ending a session)."""
        tries = 0
        while True:
            wait_ms, self.opened = 0, False
            try:
                if not self.store.data["token"]:
                    await self.sign_in()
                await self.session()
            except (Ended, Failed) as end:
                if end.code in STOP:
                    raise
                if end.code in SIGN_IN:
                    self.store.data["token"] = ""
                wait_ms = end.retry_after_ms
                tries = 0 if self.opened else tries
                if end.code in RETRY_NOW and self.opened:
                    continue
            except (OSError, ssl.SSLError, http.client.HTTPException) as error:
                if "pinned" in str(error):
                    raise
            bound_s = min(0.5 * 2**tries, 20)
            tries = min(tries + 1, 10)
            await asyncio.sleep(max(wait_ms / 1000, random.uniform(0, bound_s)))

    async def session(self):
        context = self.trust.context("parley/1")
        host = None if self.trust.fingerprint else self.address[0]
        reader, self.writer = await asyncio.open_connection(
            *self.address, ssl=context, server_hostname=host or ""
        )
        tasks, self.sayers = [], {}
        try:
            self.trust.check(self.writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
            self.waiting, self.next_request = {}, 1
            self.events, self.paging = asyncio.Queue(), False
            self.said, self.sayers, self.ahead = {}, {}, set()
            self.heard, self.reading = time.monotonic(), True
            tasks.append(asyncio.create_task(self.read(reader)))
            welcome = await self.ask("Welcome", "hello", self.hello())
            self.opened, self.user, self.limits = True, welcome.user, welcome.limits
            self.events.put_nowait(("changes", welcome.changes))
            self.connected.set()
            tasks.append(asyncio.create_task(self.ping(welcome.heartbeat_ms / 1000)))
            tasks.append(asyncio.create_task(self.handle_events()))
            tasks.append(asyncio.create_task(self.flush_outbox()))
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self.connected.clear()
            for task in [*tasks, *self.sayers.values()]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.writer.close()

    def hello(self):
        return {
            "version_min": 1,
            "version_max": 1,
            "token": bytes.fromhex(self.store.data["token"]),
            "client_name": "parley-python",
            "client_version": "1",
            "features": [RECEIPTS],
            "feed_position": self.store.data["position"],
        }

    def write(self, request, kind, fields):
        envelope = {"request": request, kind: fields}
        self.writer.write(frame(proto.encode("ClientEnvelope", envelope)))

    async def ask(self, answer, kind, fields):
        """Sends a request; returns its answer, or raises what it failed with."""
        if not self.reading:
            raise Ended()
        request, self.next_request = self.next_request, self.next_request + 1
        future = asyncio.get_running_loop().create_future()
        self.waiting[request] = (future, fields)
        self.write(request, kind, fields)
        await self.writer.drain()
        said = await future
        if said.kind_of != answer:
            raise Failed(0, f"an answer of another kind: {said.kind_of}")
        return said

    async def read(self, reader):
        """Hands answers to who asked, and what the server says by itself to the events."""
        frames, end = Frames(), Ended()
        try:
            while data := await reader.read(65536):
                self.heard = time.monotonic()
                for envelope in frames.feed(data):
                    said = proto.decode("ServerEnvelope", envelope)
                    kind = said.which("kind")
                    content = said.get(kind) if kind else None
                    if kind == "close":
                        end = Ended(content.code, content.retry_after_ms)
                    elif kind == "drain":
                        # Another node, or this one again, at a random moment within that time.
                        end = Ended(504, random.uniform(0, content.within_ms))
                        raise end
                    elif said.request:
                        self.answered(said.request, kind, content)
                    elif kind in ("deliver", "receipt", "changes"):
                        pushed = {"changes": "pushed changes"}.get(kind, kind)
                        self.events.put_nowait((pushed, content))
        finally:
            self.reading = False
            for future, _ in self.waiting.values():
                if not future.done():
                    future.set_exception(end)
        raise end

    def answered(self, request, kind, content):
        future, fields = self.waiting.pop(request, (None, None))
        if future is None or future.done():
            return
        if kind is None:
            future.set_exception(Failed(0, "an answer of a kind this client doesn't know"))
        elif kind == "failure":
            future.set_exception(Failed(content.code, content.text, content.retry_after_ms))
        else:
            if kind == "sent":
                # It has its place among what comes in.
                self.events.put_nowait(("sent", (content, fields)))
            future.set_result(content)

    async def ping(self, every_s):
        while True:
            await asyncio.sleep(every_s)
            if time.monotonic() - self.heard > 3 * every_s:
                raise Ended(506)
            asyncio.ensure_future(self.one_ping())

    async def one_ping(self):
        try:
            pong = await self.ask("Pong", "ping", {})
        except (Ended, Failed, OSError):
            return
        # The loss of the last message is found so.
        if pong.feed_position > self.store.data["position"] and self.events.empty():
            self.events.put_nowait(("sync", pong.feed_position))

    # What comes in, one after another.

    async def handle_events(self):
        while True:
            kind, content = await self.events.get()
            done = False
            while not done:
                try:
                    await self.handle(kind, content)
                    done = True
                except Failed as failed:
                    if failed.code in SIGN_IN:
                        raise
                    if done := failed.code in STOP:
                        self.on_notice(f"passed over: {failed}")
                    else:
                        await asyncio.sleep(max(failed.retry_after_ms, 100) / 1000)

    async def handle(self, kind, content):
        if kind == "changes":
            await self.take_changes(content)
        elif kind == "pushed changes":
            await self.take_feed(content.entries)
            self.move_position(content.feed_position)
        elif kind == "sync":
            if content > self.store.data["position"]:
                await self.take_changes(await self.sync())
        elif kind == "deliver":
            await self.take_entries(content.conversation, decoded(content.entries))
            self.move_position(content.feed_position)
        elif kind == "sent":
            sent, send = content
            await self.take_sent(sent, send)
            self.move_position(sent.feed_position)
        elif kind == "receipt":
            self.take_receipt(content)
            self.move_position(content.feed_position)
        elif kind == "not given":
            await self.fetch_again(content)

    def sync(self):
        return self.ask("Changes", "sync", {"feed_position": self.store.data["position"]})

    def move_position(self, position):
        """Keeps the highest, except while pages are still to come (Feed and resuming)."""
        if position > self.store.data["position"] and not self.paging:
            self.store.data["position"] = position
            self.store.save()

    async def take_changes(self, changes):
        """Pages of the feed; the position is kept once what it stands for is. It may be lower
        than the one asked with: the server's is the true one (Feed and resuming)."""
        while True:
            self.paging = changes.more
            if changes.feed_position < self.store.data["position"] and "seen" not in changes:
                # Another life of the server: a log that ends below what is held was put
                # back, and its seqs are used anew.
                for entry in changes.entries:
                    known = self.conversation(entry.conversation)
                    known["held"] = min(known["held"], entry.last_seq)
            changes["seen"] = True
            await self.take_feed(changes.entries)
            self.store.data["position"] = changes.feed_position
            self.store.save()
            if not changes.more:
                return
            changes = await self.sync()

    async def take_feed(self, entries):
        for entry in entries:
            known = self.conversation(entry.conversation)
            known["delivered"] = max(known["delivered"], entry.delivered)
            if entry.last_seq > known["held"]:
                await self.catch_up(entry.conversation)

    async def take_sent(self, sent, send):
        """Our own entry comes as `Sent`; what lies between it and what we hold is fetched."""
        known = self.conversation(sent.conversation)
        if sent.seq == known["held"] + 1 and not sent.duplicate:
            fields = {"seq": sent.seq, "sender": self.user, "kind": send["kind"], "body": send["body"]}
            await self.show(sent.conversation, [proto.Message("Entry", fields)])
        elif sent.seq > known["held"]:
            await self.catch_up(sent.conversation)

    def take_receipt(self, receipt):
        known = self.conversation(receipt.conversation)
        if receipt.user == self.user:
            known["delivered"] = max(known["delivered"], receipt.delivered)
            return
        who = known["members"].get(receipt.user.hex(), "somebody")
        self.on_notice(f"{who} has all up to {receipt.delivered}, has read up to {receipt.read}")

    async def take_entries(self, id, entries):
        known = self.conversation(id)
        if not entries or entries[-1].seq <= known["held"]:
            return
        if entries[0].seq > known["held"] + 1:
            await self.catch_up(id)
            return
        await self.show(id, entries)

    async def catch_up(self, id):
        """Fetches what is missing, from where the server knows of: cursors need it (Cursors)."""
        known = self.conversation(id)
        after = min(known["held"], known["delivered"])
        while True:
            asked = {"conversation": id, "after_seq": after}
            page = await self.ask("Fetched", "fetch", asked)
            entries = decoded(page.entries)
            await self.show(id, entries)
            # What has no place in the answer is not there for us: it is no gap.
            if page.at_end or not entries:
                known["held"] = max(known["held"], page.last_seq)
                self.store.save()
                self.say_delivered(id)
                return
            after = entries[-1].seq

    async def fetch_again(self, id):
        """This session was not given what it holds, from where the server's cursor stands."""
        described = await self.describe(id)
        own = [member.delivered for member in described.members if member.user == self.user]
        self.conversation(id)["delivered"] = own[0] if own else 0
        await self.catch_up(id)

    async def show(self, id, entries):
        known = self.conversation(id)
        if not known["kind"]:
            await self.describe(id)
        for entry in entries:
            if entry.seq > known["held"]:
                known["held"] = entry.seq
                self.on_entry(id, entry)
        self.store.save()
        self.say_delivered(id)

    async def describe(self, id):
        described = await self.ask("Described", "describe", {"conversation": id})
        known = self.conversation(id)
        known["kind"] = described.kind
        known["members"] = {member.user.hex(): member.name for member in described.members}
        return described

    # Cursors.

    def say_delivered(self, id):
        """At once when the last one is long enough ago, else when it will be."""
        known = self.conversation(id)
        if known["held"] <= known["delivered"] or id in self.sayers:
            return
        every_s = delivered_every_ms(len(known["members"]), self.user) / 1000
        wait_s = max(self.said.get(id, 0) + every_s - time.monotonic(), 0)
        self.sayers[id] = asyncio.ensure_future(self.say(id, wait_s))

    async def say(self, id, wait_s):
        known = self.conversation(id)
        try:
            await asyncio.sleep(wait_s)
            self.said[id] = time.monotonic()
            up_to = known["held"]
            await self.move(id, "delivered", up_to)
        except Failed as failed:
            if failed.code == CURSOR_AHEAD and id not in self.ahead:
                self.ahead.add(id)
                self.events.put_nowait(("not given", id))
            return
        except (Ended, OSError):
            return
        finally:
            self.sayers.pop(id, None)
        self.say_delivered(id)

    async def move(self, id, cursor, up_to):
        moved = await self.ask("Moved", cursor, {"conversation": id, "up_to": up_to})
        known = self.conversation(id)
        known["delivered"] = max(known["delivered"], moved.delivered)
        self.store.save()

    async def read_up_to(self, id, seq):
        """The user has seen everything up to there."""
        try:
            await self.move(id, "read", seq)
        except (Ended, Failed, OSError):
            pass

    # Sending.

    async def flush_outbox(self):
        """One message after another, so that they keep their order; each with the id it was
        given when it was kept, so that a repeat lands once (Sending)."""
        while True:
            self.outbox_grew.clear()
            while outbox := self.store.data["outbox"]:
                message = outbox[0]
                try:
                    await self.ask("Sent", "send", {
                        "peer": bytes.fromhex(message["peer"]),
                        "client_message_id": bytes.fromhex(message["id"]),
                        "kind": TEXT,
                        "body": bytes.fromhex(message["body"]),
                    })
                except Failed as failed:
                    if failed.code not in STOP:
                        await asyncio.sleep(max(failed.retry_after_ms, 100) / 1000)
                        continue
                    self.on_notice(f"not sent: {failed}")
                outbox.pop(0)
                self.store.save()
            await self.outbox_grew.wait()

    # Asking.

    async def look_up(self, name):
        await self.connected.wait()
        found = await self.ask("Found", "lookup", {"name": name})
        return found.user.id

    async def history(self, id, before, limit=20):
        """The page below `before`, as its messages are now: (seq, sender, text or None), and
        whether nothing older is there."""
        asked = {"conversation": id, "before_seq": before, "limit": limit}
        page = await self.ask("Fetched", "fetch", asked)
        texts, lines = {}, []
        for entry in decoded(page.related):
            if entry.kind == EDIT and not entry.erased:
                edit = proto.decode("Edit", entry.body)
                texts[edit.seq] = edit.text
        for entry in decoded(page.entries):
            if entry.kind == TEXT:
                text = None if entry.erased else proto.decode("Text", entry.body).text
                lines.append((entry.seq, entry.sender, text and texts.get(entry.seq, text)))
        oldest = decoded(page.entries)[0].seq if page.entries else before
        return lines, oldest, page.at_start


def decoded(entries):
    return [proto.decode("Entry", entry) for entry in entries]
