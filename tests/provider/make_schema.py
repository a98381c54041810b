"""Rebuilds `schema.json` and `recorded_schema.json` from the published bindings of the provider.

The npm package `@cdktn/provider-aws` is generated from the output of
`terraform providers schema`, and its `.js` files carry their TypeScript source
in the source map. From that source this program takes, for the provider block
and for each resource type of the registries in `resources/`: argument names,
types, required / optional / computed, and nested blocks. The bindings hold no
defaults, no ForceNew and no validators: those are in `resources/`.

    python make_schema.py                 downloads the package (npm) and rewrites both
    python make_schema.py FOLDER          takes an unpacked package
    python make_schema.py [FOLDER] --check   exits 1 if one would change
"""

import base64
import json
import pathlib
import re
import subprocess
import sys
import tempfile

PACKAGE = "@cdktn/provider-aws@25.7.0"
SCHEMA_FILE = pathlib.Path(__file__).with_name("schema.json")

SIMPLE_TYPES = {"string": "string", "number": "number", "boolean": "bool"}
GETTER_TYPES = {
    "getStringAttribute": "string",
    "getNumberAttribute": "number",
    "getBooleanAttribute": "bool",
    "getListAttribute": ["list", "string"],
    "getNumberListAttribute": ["list", "number"],
    "getStringMapAttribute": ["map", "string"],
    "getNumberMapAttribute": ["map", "number"],
    "getBooleanMapAttribute": ["map", "bool"],
}


def typescript_source(javascript_file):
    """Returns the TypeScript a generated `.js` file was compiled from."""
    javascript = javascript_file.read_text(encoding="utf-8")
    encoded = re.search(r"sourceMappingURL=data:application/json;base64,(\S+)", javascript)
    return json.loads(base64.b64decode(encoded.group(1)))["sourcesContent"][0]


def provider_version(javascript_file):
    javascript = javascript_file.read_text(encoding="utf-8")
    return re.search(r"providerVersion: '([^']+)'", javascript).group(1)


def body_after(source, opening):
    """Returns the text from `opening` to the next line that is a lone `}`."""
    start = source.index(opening)
    return source[start : source.index("\n}\n", start)]


def written_entries(body):
    """Yields what may be written: name, property, is it a block, kind, storage class, is it one."""
    pattern = re.compile(
        r"^ +(\w+): \{\s+value: (.+?),\n\s+isBlock: (true|false),\s+"
        r'type: "(\w+)",\s+storageClassType: "(\w+)",',
        re.MULTILINE | re.DOTALL,
    )
    for name, value, is_block, kind, storage in pattern.findall(body):
        property_name = re.search(r"(?:struct!?|this)\.(\w+)", value).group(1)
        yield name, property_name.lstrip("_"), is_block == "true", kind, storage, (
            "listMapper" not in value
        )


def flagged_entries(body):
    """Yields each commented attribute of a class: name, flags, and the code below it."""
    parts = re.split(
        r"// (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n", body
    )
    for index in range(1, len(parts), 5):
        name, computed, optional, required, code = parts[index : index + 5]
        yield name, {
            "computed": computed == "true",
            "optional": optional == "true",
            "required": required == "true",
        }, code


def written_type(source, kind, storage):
    if kind == "simple":
        return SIMPLE_TYPES[storage]
    element = re.match(r"(string|number|boolean)(List|Map)$", storage)
    if element:
        return [kind, SIMPLE_TYPES[element.group(1)]]
    return [kind, ["object", object_type(source, structure_name(storage))]]


def structure_name(storage):
    return re.sub(r"(List|Map|OutputReference)$", "", storage)


def object_type(source, structure):
    """Returns the attribute types of a structure that is used as an attribute."""
    block = nested_block(source, structure)
    return {name: attribute["type"] for name, attribute in block["attributes"].items()}


def read_type(source, name, code):
    """Returns the type of an attribute that is only read, from its getter."""
    complex_value = re.search(
        rf'new (\w+)(List|OutputReference|Map)\(this, "{name}"(?:, (true|false))?', code
    )
    if complex_value:
        mode = "set" if complex_value.group(3) == "true" else "list"
        return [mode, ["object", object_type(source, complex_value.group(1))]]
    getter = re.search(r"this\.(get\w+Attribute)\(", code)
    attribute_type = GETTER_TYPES[getter.group(1)]
    if "Fn.tolist(" in code.split("\n  }")[0]:
        return ["set", attribute_type[1]]
    return attribute_type


def nested_block(source, structure):
    """Returns the block of an interface: by its writer, its interface and its reader."""
    lower = structure[0].lower() + structure[1:]
    interface = body_after(source, f"export interface {structure} {{")
    writer = body_after(source, f"export function {lower}ToHclTerraform(")
    optional = dict(re.findall(r"readonly (\w+)(\??):", interface))
    flags = {}
    reader = f"export class {structure}OutputReference "
    if reader in source:
        body = body_after(source, reader)
        flags = {name: (found, code) for name, found, code in flagged_entries(body)}
    block = {"attributes": {}, "block_types": {}}
    for name, property_name, is_block, kind, storage, single in written_entries(writer):
        if is_block:
            required = not optional.get(property_name)
            block["block_types"][name] = block_type(source, kind, storage, single, required)
            continue
        found = flags[name][0] if name in flags else {
            "required": not optional.get(property_name),
            "optional": bool(optional.get(property_name)),
        }
        block["attributes"][name] = attribute(written_type(source, kind, storage), found)
    for name, (found, code) in flags.items():
        if name not in block["attributes"] and name not in block["block_types"]:
            block["attributes"][name] = attribute(read_type(source, name, code), found)
    return block


def attribute(attribute_type, flags):
    entry = {"type": attribute_type}
    entry.update({flag: True for flag in ("required", "optional", "computed") if flags.get(flag)})
    return entry


def block_type(source, kind, storage, single, required):
    block = nested_block(source, structure_name(storage))
    if kind == "struct":
        return {"nesting_mode": "single", "block": block}
    entry = {"nesting_mode": kind, "block": block}
    if required:
        entry["min_items"] = 1
    if single:
        entry["max_items"] = 1
    return entry


def main_block(source, base_class):
    class_name = re.search(rf"export class (\w+) extends cdktn\.{base_class} ", source).group(1)
    body = body_after(source, f"export class {class_name} ")
    written = {name: entry for name, *entry in written_entries(body)}
    block = {"attributes": {}, "block_types": {}}
    for name, flags, code in flagged_entries(body):
        if name not in written:
            block["attributes"][name] = attribute(read_type(source, name, code), flags)
            continue
        _, is_block, kind, storage, single = written[name]
        if is_block:
            block["block_types"][name] = block_type(
                source, kind, storage, single, flags["required"]
            )
        else:
            block["attributes"][name] = attribute(written_type(source, kind, storage), flags)
    return block


def rebuild(package, type_names):
    library = package / "lib"
    provider_file = library / "provider" / "index.js"
    provider = main_block(typescript_source(provider_file), "TerraformProvider")
    # `alias` belongs to Terraform itself, not to the provider's schema.
    provider["attributes"].pop("alias", None)
    schemas = {}
    for type_name in type_names:
        folder = type_name.removeprefix("aws_").replace("_", "-")
        source = typescript_source(library / folder / "index.js")
        schemas[type_name] = main_block(source, "TerraformResource")
    version = provider_version(library / "iam-role" / "index.js")
    return {"provider_version": version, "provider": provider, "resource_schemas": schemas}


def as_text(schema):
    """One line per attribute, so that a new provider version is a readable diff."""
    text = json.dumps(schema, indent=1, sort_keys=True)
    leaf = re.compile(r"\{[^{}]*\}")
    return leaf.sub(lambda found: re.sub(r"\s+", " ", found.group()), text) + "\n"


def download(folder):
    subprocess.run(
        ["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    (archive,) = folder.glob("*.tgz")
    subprocess.run(["tar", "xzf", archive.name], cwd=folder, check=True)
    return folder / "package"


def main(arguments):
    import resources
    from resources import recorded

    check = "--check" in arguments
    folders = [argument for argument in arguments if not argument.startswith("--")]
    with tempfile.TemporaryDirectory() as temporary:
        package = pathlib.Path(folders[0]) if folders else download(pathlib.Path(temporary))
        texts = {
            SCHEMA_FILE: as_text(rebuild(package, sorted(resources.RESOURCES))),
            recorded.SCHEMA_FILE: as_text(rebuild(package, sorted(recorded.FORMS))),
        }
    if check:
        differing = [
            file.name for file, text in texts.items() if file.read_text(encoding="utf-8") != text
        ]
        print(f"{', '.join(differing)} differ" if differing else "the schemas are up to date")
        return 1 if differing else 0
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
