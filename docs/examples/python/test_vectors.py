"""The golden vectors of protocol/vectors, read by this client's own code: `python3 -m unittest`."""

import json
import pathlib
import re
import unittest

import client
import proto
from frames import BadFrame, Frames, frame

ROOT = pathlib.Path(__file__).resolve().parents[3]
VECTORS = ROOT / "protocol/vectors"


def vectors(name):
    found = json.loads((VECTORS / f"{name}.json").read_text())["vectors"]
    assert found, name
    return found


class Vectors(unittest.TestCase):
    def test_messages(self):
        for file in ("client", "server", "entries"):
            for vector in vectors(file):
                with self.subTest(vector["name"]):
                    data, kind = bytes.fromhex(vector["bytes"]), vector["message"]
                    read = proto.decode(kind, data)
                    self.assertEqual(proto.to_json(read), vector["fields"])
                    made = proto.from_json(kind, vector["fields"])
                    self.assertEqual(made, read)
                    if vector["canonical"]:
                        self.assertEqual(proto.encode(kind, made).hex(), vector["bytes"])
                    if "frame" in vector:
                        self.assertEqual(frame(data).hex(), vector["frame"])

    def test_frames(self):
        for vector in vectors("frames"):
            stream = bytes.fromhex(vector["stream"])
            for pieces in ([stream], [stream[at : at + 1] for at in range(len(stream))]):
                with self.subTest(vector["name"], pieces=len(pieces)):
                    reader, found, error = Frames(vector["max_bytes"]), [], None
                    try:
                        for piece in pieces:
                            found += [envelope.hex() for envelope in reader.feed(piece)]
                    except BadFrame as bad:
                        error = str(bad)
                    self.assertEqual((found, error), (vector["frames"], vector["error"]))
                    if error is None:
                        self.assertEqual(len(reader.waiting), vector["rest"])

    def test_refused(self):
        for vector in vectors("refused"):
            with self.subTest(vector["name"]), self.assertRaises(proto.Malformed):
                proto.decode("ClientEnvelope", bytes.fromhex(vector["bytes"]))

    def test_pace(self):
        for vector in vectors("pace"):
            with self.subTest(vector["name"]):
                every_ms = client.delivered_every_ms(vector["members"], bytes.fromhex(vector["user"]))
                self.assertEqual(every_ms, vector["every_ms"])

    def test_retry_classes(self):
        table = (ROOT / "docs/errors/README.md").read_text()
        rows = re.findall(r"^\| (\d+) \| .*? \| `(\w+)` \|", table, re.MULTILINE)
        self.assertGreater(len(rows), 30)
        for number, retry in rows:
            own = "retry_after"
            for codes, name in (
                (client.RETRY_NOW, "retry_now"),
                (client.SIGN_IN, "sign_in"),
                (client.STOP, "stop"),
            ):
                own = name if int(number) in codes else own
            self.assertEqual(own, retry, number)


if __name__ == "__main__":
    unittest.main()
