"""Terraform's plugin protocol 6 on the wire: which messages there are, and how
they become bytes.

A message is a dict; a field that is not set is absent when decoded and may be
absent when encoded. Only the fields that the double reads or writes are listed:
protocol buffers skip unknown fields, so a newer Terraform does no harm.
Nothing here knows what a resource is.
"""

VARINT, BYTES, TEXT = "varint", "bytes", "text"


class Field:
    def __init__(self, number, kind, repeated=False):
        self.number, self.kind, self.repeated = number, kind, repeated


def many(number, kind):
    return Field(number, kind, repeated=True)


def fields(**numbered):
    return {
        name: found if isinstance(found, Field) else Field(*found)
        for name, found in numbered.items()
    }


DYNAMIC_VALUE = fields(msgpack=(1, BYTES), json=(2, BYTES))
STEP = fields(attribute_name=(1, TEXT), element_key_string=(2, TEXT), element_key_int=(3, VARINT))
ATTRIBUTE_PATH = fields(steps=many(1, STEP))
DIAGNOSTIC = fields(
    severity=(1, VARINT), summary=(2, TEXT), detail=(3, TEXT), attribute=(4, ATTRIBUTE_PATH)
)
DIAGNOSTICS_FIRST = fields(diagnostics=many(1, DIAGNOSTIC))

ATTRIBUTE = fields(
    name=(1, TEXT),
    type=(2, BYTES),
    required=(4, VARINT),
    optional=(5, VARINT),
    computed=(6, VARINT),
)
BLOCK = fields(version=(1, VARINT), attributes=many(2, ATTRIBUTE))
NESTED_BLOCK = fields(
    type_name=(1, TEXT),
    block=(2, BLOCK),
    nesting=(3, VARINT),
    min_items=(4, VARINT),
    max_items=(5, VARINT),
)
BLOCK["block_types"] = many(3, NESTED_BLOCK)
NESTING_MODES = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
SCHEMA = fields(version=(1, VARINT), block=(2, BLOCK))
SCHEMA_ENTRY = fields(key=(1, TEXT), value=(2, SCHEMA))
CAPABILITIES = fields(plan_destroy=(1, VARINT), get_provider_schema_optional=(2, VARINT))

TYPE_NAME = fields(type_name=(1, TEXT))

NOTHING = fields()

# Method name -> request fields, response fields.
METHODS = {
    "GetMetadata": (
        NOTHING,
        fields(
            server_capabilities=(1, CAPABILITIES),
            diagnostics=many(2, DIAGNOSTIC),
            data_sources=many(3, TYPE_NAME),
            resources=many(4, TYPE_NAME),
        ),
    ),
    "GetProviderSchema": (
        NOTHING,
        fields(
            provider=(1, SCHEMA),
            resource_schemas=many(2, SCHEMA_ENTRY),
            data_source_schemas=many(3, SCHEMA_ENTRY),
            diagnostics=many(4, DIAGNOSTIC),
            server_capabilities=(6, CAPABILITIES),
        ),
    ),
    "ValidateProviderConfig": (
        fields(config=(1, DYNAMIC_VALUE)),
        fields(diagnostics=many(2, DIAGNOSTIC)),
    ),
    "ConfigureProvider": (
        fields(terraform_version=(1, TEXT), config=(2, DYNAMIC_VALUE)),
        DIAGNOSTICS_FIRST,
    ),
    "ValidateResourceConfig": (
        fields(type_name=(1, TEXT), config=(2, DYNAMIC_VALUE)),
        DIAGNOSTICS_FIRST,
    ),
    "UpgradeResourceState": (
        fields(type_name=(1, TEXT), version=(2, VARINT), raw_state=(3, fields(json=(1, BYTES)))),
        fields(upgraded_state=(1, DYNAMIC_VALUE), diagnostics=many(2, DIAGNOSTIC)),
    ),
    "ReadResource": (
        fields(type_name=(1, TEXT), current_state=(2, DYNAMIC_VALUE), private=(3, BYTES)),
        fields(
            new_state=(1, DYNAMIC_VALUE), diagnostics=many(2, DIAGNOSTIC), private=(3, BYTES)
        ),
    ),
    "PlanResourceChange": (
        fields(
            type_name=(1, TEXT),
            prior_state=(2, DYNAMIC_VALUE),
            proposed_new_state=(3, DYNAMIC_VALUE),
            config=(4, DYNAMIC_VALUE),
            prior_private=(5, BYTES),
        ),
        fields(
            planned_state=(1, DYNAMIC_VALUE),
            requires_replace=many(2, ATTRIBUTE_PATH),
            planned_private=(3, BYTES),
            diagnostics=many(4, DIAGNOSTIC),
            legacy_type_system=(5, VARINT),
        ),
    ),
    "ApplyResourceChange": (
        fields(
            type_name=(1, TEXT),
            prior_state=(2, DYNAMIC_VALUE),
            planned_state=(3, DYNAMIC_VALUE),
            config=(4, DYNAMIC_VALUE),
            planned_private=(5, BYTES),
        ),
        fields(
            new_state=(1, DYNAMIC_VALUE),
            private=(2, BYTES),
            diagnostics=many(3, DIAGNOSTIC),
            legacy_type_system=(4, VARINT),
        ),
    ),
    "ImportResourceState": (
        fields(type_name=(1, TEXT), id=(2, TEXT)),
        fields(
            imported_resources=many(1, fields(type_name=(1, TEXT), state=(2, DYNAMIC_VALUE))),
            diagnostics=many(2, DIAGNOSTIC),
        ),
    ),
    "ValidateDataResourceConfig": (
        fields(type_name=(1, TEXT), config=(2, DYNAMIC_VALUE)),
        DIAGNOSTICS_FIRST,
    ),
    "ReadDataSource": (
        fields(type_name=(1, TEXT), config=(2, DYNAMIC_VALUE)),
        fields(state=(1, DYNAMIC_VALUE), diagnostics=many(2, DIAGNOSTIC)),
    ),
    "GetFunctions": (NOTHING, fields(diagnostics=many(2, DIAGNOSTIC))),
    "StopProvider": (NOTHING, fields(Error=(1, TEXT))),
}


def write_varint(number, out):
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def read_varint(data, position):
    number = shift = 0
    while True:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7


def encode(message, table):
    out = bytearray()
    for name, value in message.items():
        field = table[name]
        for item in value if field.repeated else (value,):
            if field.kind is VARINT:
                write_varint(field.number << 3, out)
                write_varint(int(item), out)
                continue
            if field.kind is TEXT:
                item = item.encode("utf-8")
            elif field.kind is not BYTES:
                item = encode(item, field.kind)
            write_varint(field.number << 3 | 2, out)
            write_varint(len(item), out)
            out += item
    return bytes(out)


def decode(data, table):
    names = {field.number: (name, field) for name, field in table.items()}
    message, position = {}, 0
    while position < len(data):
        key, position = read_varint(data, position)
        wire_type = key & 7
        if wire_type == 0:
            value, position = read_varint(data, position)
        elif wire_type == 2:
            length, position = read_varint(data, position)
            value = data[position : position + length]
            position += length
        else:
            value, position = None, position + (8 if wire_type == 1 else 4)
        if key >> 3 not in names:
            continue
        name, field = names[key >> 3]
        if field.kind is TEXT:
            value = value.decode("utf-8")
        elif isinstance(field.kind, dict):
            value = decode(value, field.kind)
        if field.repeated:
            message.setdefault(name, []).append(value)
        else:
            message[name] = value
    return message
