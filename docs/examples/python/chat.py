#!/usr/bin/env python3
"""A 1:1 chat in the terminal, or an echo: see README.md beside it."""

import argparse
import asyncio
import getpass
import pathlib
import sys

import proto
from client import DELETE, DIRECT, EDIT, TEXT, Client, Ended, Failed, Trust


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, help="tls://host:port, from the ready line")
    parser.add_argument("--trust", help="the certificate's SHA-256 in hex; else the system's roots")
    parser.add_argument("--user", required=True)
    parser.add_argument("--sign-up", action="store_true", help="make the account first")
    parser.add_argument("--password-file", help="its first line; else it is asked for")
    parser.add_argument("--device", default="python")
    parser.add_argument("--state", help="file of what the device keeps; by default USER.json")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--with", dest="peer", help="whom to talk to: lines of the input go there")
    mode.add_argument("--echo", action="store_true", help="send every text back to who sent it")
    return parser.parse_args()


class Chat:
    def __init__(self, options):
        self.options = options
        self.client = Client(
            options.server,
            Trust(options.trust),
            options.user,
            password(options),
            options.device,
            options.state or f"{options.user}.json",
            self.on_entry,
            say,
        )
        self.talk = None  # The conversation with --with, once it is known.
        self.oldest = None
        self.seen, self.readers = {}, {}

    def on_entry(self, conversation, entry):
        client, known = self.client, self.client.conversation(conversation)
        who = known["members"].get(entry.sender.hex(), entry.sender.hex())
        own = entry.sender == client.user
        if not own and who == self.options.peer and known["kind"] == DIRECT:
            self.talk = conversation
        if entry.kind == EDIT and not entry.erased:
            edit = proto.decode("Edit", entry.body)
            say(f"{who} changed {edit.seq}: {edit.text}")
        elif entry.kind == DELETE:
            say(f"{who} deleted {proto.decode('Delete', entry.body).seq}")
        elif entry.kind == TEXT and entry.erased:
            say(f"{entry.seq} {who}: (deleted)")
        elif entry.kind == TEXT:
            text = proto.decode("Text", entry.body).text
            if self.options.echo and known["kind"] == DIRECT and not own:
                client.send_text(entry.sender, text)
            print(f"{entry.seq} {who}: {text}", flush=True)
            if conversation == self.talk or self.options.echo:
                self.seen[conversation] = entry.seq
                if conversation not in self.readers:
                    self.readers[conversation] = asyncio.ensure_future(self.read(conversation))

    async def read(self, conversation):
        """Says what was seen, once for all that came in the meantime."""
        said = None
        while said != self.seen[conversation]:
            said = self.seen[conversation]
            await self.client.read_up_to(conversation, said)
        del self.readers[conversation]

    async def type(self):
        """Lines of the input are sent; `/more` shows what was before."""
        peer = None
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            while peer is None:
                try:
                    peer = await self.client.look_up(self.options.peer)
                except (Ended, OSError):
                    pass  # It will be connected again.
            if line.strip() == "/more":
                await self.more()
            elif text := line.rstrip("\n"):
                self.client.send_text(peer, text)
        while self.client.store.data["outbox"]:
            await asyncio.sleep(0.05)

    async def more(self):
        talk = self.talk
        for id, known in self.client.store.data["conversations"].items():
            if known["kind"] == DIRECT and self.options.peer in known["members"].values():
                talk = bytes.fromhex(id)
        if talk is None:
            return say("nothing yet")
        members = self.client.conversation(talk)["members"]
        lines, self.oldest, at_start = await self.client.history(talk, self.oldest or 2**64 - 1)
        for seq, sender, text in lines:
            say(f"{seq} {members.get(sender.hex(), '?')}: {text or '(deleted)'}")
        if at_start:
            say("that is the beginning")


def password(options):
    if options.password_file:
        return pathlib.Path(options.password_file).read_text().splitlines()[0]
    return getpass.getpass()


def say(text):
    print(f"* {text}", flush=True)


async def main():
    options = arguments()
    chat = Chat(options)
    if options.sign_up and not chat.client.store.data["token"]:
        await chat.client.sign_up()
    session = asyncio.create_task(chat.client.run())
    waits = [session] if options.echo else [session, asyncio.create_task(chat.type())]
    done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    session.cancel()
    for task in done:
        task.result()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
    except (Ended, Failed) as error:
        sys.exit(f"chat: {error}")
