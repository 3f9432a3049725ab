"""Protocol Buffers, as far as Parley needs them, read from its .proto files.

A message is a `Message`: a dict of the fields that are there, by the names of the .proto files.
As an attribute, a field that is not there has its default: `entry.seq`, `sent.duplicate`.
"""

import base64
import pathlib
import re

PROTO = pathlib.Path(__file__).resolve().parents[3] / "protocol/proto/parley/v1"
NUMBERS = ("uint32", "uint64", "bool")
DEPTH = 100


class Malformed(ValueError):
    """Bytes that are no message of this type."""


class Field:
    def __init__(self, name, number, kind, repeated, optional, oneof):
        self.name, self.number, self.kind = name, number, kind
        self.repeated, self.oneof = repeated, oneof
        # Whether a default that was set is told from one that was not.
        self.present = bool(optional or oneof)
        head, *rest = name.split("_")
        self.json = head + "".join(part.capitalize() for part in rest)

    def is_number(self):
        return self.kind in NUMBERS or self.kind in ENUMS

    def default(self):
        if self.repeated:
            return []
        if self.kind in MESSAGES:
            return Message(self.kind)
        return {"string": "", "bytes": b"", "bool": False}.get(self.kind, 0)


MESSAGES = {}  # name -> fields by number
ENUMS = {}  # name -> numbers by name


def load(folder=PROTO):
    """Reads what version 1 uses of the language: flat messages, enums, one-ofs."""
    for file in sorted(folder.glob("*.proto")):
        fields = values = oneof = None
        for line in file.read_text().splitlines():
            words = re.sub(r"//.*", "", line).replace(";", " ").split()
            if not words:
                continue
            if words[0] == "message":
                fields = MESSAGES[words[1]] = {}
                if words[-1].endswith("}"):
                    fields = None
            elif words[0] == "enum":
                values = ENUMS[words[1]] = {}
            elif words[0] == "oneof":
                oneof = words[1]
            elif words[0] == "}":
                if oneof:
                    oneof = None
                else:
                    fields = values = None
            elif values is not None:
                values[words[0]] = int(words[2])
            elif fields is not None:
                *before, name, _, number = words
                field = (name, int(number), before[-1], "repeated" in before, "optional" in before)
                fields[int(number)] = Field(*field, oneof)


class Message(dict):
    def __init__(self, kind, fields=(), **more):
        super().__init__(fields, **more)
        self.kind_of = kind

    def __getattr__(self, name):
        if name in self:
            return self[name]
        for field in MESSAGES[self.kind_of].values():
            if field.name == name:
                return field.default()
        raise AttributeError(f"{self.kind_of} has no {name}")

    def which(self, oneof):
        """The name of the choice that is there, or None."""
        for field in MESSAGES[self.kind_of].values():
            if field.oneof == oneof and field.name in self:
                return field.name
        return None


def put_varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def take_varint(data, at):
    number = 0
    for index in range(10):
        if at >= len(data):
            raise Malformed("cut short")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number & 0xFFFF_FFFF_FFFF_FFFF, at
    raise Malformed("a number of more than ten bytes")


def take(data, at, length):
    if length > len(data) - at:
        raise Malformed("cut short")
    return data[at : at + length], at + length


def skip_group(data, at, number, depth):
    if depth > DEPTH:
        raise Malformed("nested too deep")
    while True:
        key, at = take_varint(data, at)
        if key & 7 == 4:
            if key >> 3 != number:
                raise Malformed("the end of another group")
            return at
        _, at = take_value(data, at, key, depth)


def take_value(data, at, key, depth):
    """The value behind a key: a number for wire type 0, else bytes."""
    wire = key & 7
    if key >> 3 == 0 or key >> 3 >= 1 << 29:
        raise Malformed("no such field number")
    if wire == 0:
        return take_varint(data, at)
    if wire == 1:
        return take(data, at, 8)
    if wire == 2:
        length, at = take_varint(data, at)
        return take(data, at, length)
    if wire == 3:
        return b"", skip_group(data, at, key >> 3, depth + 1)
    if wire == 5:
        return take(data, at, 4)
    raise Malformed(f"wire type {wire}")


def decode(kind, data, depth=0):
    """Reads a message; fields it doesn't know are passed over."""
    if depth > DEPTH:
        raise Malformed("nested too deep")
    message, at = Message(kind), 0
    while at < len(data):
        key, at = take_varint(data, at)
        value, at = take_value(data, at, key, depth)
        field = MESSAGES[kind].get(key >> 3)
        if field is None:
            continue
        packed = field.repeated and field.is_number() and key & 7 == 2
        if not packed and (key & 7) != (0 if field.is_number() else 2):
            raise Malformed(f"{kind}.{field.name} has wire type {key & 7}")
        if packed:
            values, inner = [], 0
            while inner < len(value):
                number, inner = take_varint(value, inner)
                values.append(number_of(field.kind, number))
        else:
            values = [one_value(field, value, depth)]
        if field.repeated:
            message.setdefault(field.name, []).extend(values)
            continue
        # Of a one-of the last choice stands.
        for other in MESSAGES[kind].values():
            if field.oneof and other.oneof == field.oneof:
                message.pop(other.name, None)
        message[field.name] = values[0]
    return message


def one_value(field, value, depth):
    if field.is_number():
        return number_of(field.kind, value)
    if field.kind == "bytes":
        return bytes(value)
    if field.kind == "string":
        try:
            return bytes(value).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed(f"{field.name} is not UTF-8") from error
    return decode(field.kind, value, depth + 1)


def number_of(kind, number):
    if kind == "bool":
        return number != 0
    if kind == "uint64":
        return number
    number &= 0xFFFF_FFFF
    # Numbers of an enum are signed.
    return number - (1 << 32) if kind in ENUMS and number >> 31 else number


def encode(kind, message):
    """Writes a message, fields in order of number."""
    out = bytearray()
    known = {field.name for field in MESSAGES[kind].values()}
    if not known.issuperset(message):
        raise KeyError(f"{kind} has no {sorted(set(message) - known)}")
    for number, field in sorted(MESSAGES[kind].items()):
        value = message.get(field.name)
        if value is None or (not field.present and value == field.default() and value in ([], 0, "", b"")):
            continue
        if field.is_number() and field.repeated:
            packed = b"".join(put_varint(int(item) & 0xFFFF_FFFF_FFFF_FFFF) for item in value)
            out += put_varint(number << 3 | 2) + put_varint(len(packed)) + packed
            continue
        for item in value if field.repeated else [value]:
            if field.is_number():
                out += put_varint(number << 3) + put_varint(int(item) & 0xFFFF_FFFF_FFFF_FFFF)
                continue
            if field.kind in MESSAGES:
                item = encode(field.kind, item)
            elif field.kind == "string":
                item = item.encode("utf-8")
            out += put_varint(number << 3 | 2) + put_varint(len(item)) + item
    return bytes(out)


def to_json(message):
    """The JSON form of Protocol Buffers, as the golden vectors have it."""
    out = {}
    for field in MESSAGES[message.kind_of].values():
        if field.name in message:
            value = message[field.name]
            many = [json_value(field, item) for item in (value if field.repeated else [value])]
            out[field.json] = many if field.repeated else many[0]
    return out


def json_value(field, value):
    if field.kind == "uint64":
        return str(value)
    if field.kind == "bytes":
        return base64.b64encode(value).decode()
    if field.kind in ENUMS:
        names = {number: name for name, number in ENUMS[field.kind].items()}
        return names.get(value, value)
    return to_json(value) if field.kind in MESSAGES else value


def from_json(kind, value):
    message = Message(kind)
    for field in MESSAGES[kind].values():
        if field.json in value:
            given = value[field.json]
            many = [value_of(field, item) for item in (given if field.repeated else [given])]
            message[field.name] = many if field.repeated else many[0]
    return message


def value_of(field, value):
    if field.kind == "uint64":
        return int(value)
    if field.kind == "bytes":
        return base64.b64decode(value)
    if field.kind in ENUMS:
        return ENUMS[field.kind][value] if isinstance(value, str) else value
    return from_json(field.kind, value) if field.kind in MESSAGES else value


load()
