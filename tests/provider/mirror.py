"""Builds a provider mirror from which `terraform init` installs the double.

    python mirror.py FOLDER     prints the path of FOLDER/terraform.rc

    TF_CLI_CONFIG_FILE=FOLDER/terraform.rc terraform init

The mirror's path holds the name of the registry's host, and that name is asked
of Terraform itself. The installed provider is a small script that starts
`server.py` with the Python of whoever built the mirror. Building twice, or from
two processes at a time, is cheap and safe: a finished mirror is left as it is,
and a new one appears in one step.
"""

import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

import values

SERVER = pathlib.Path(__file__).resolve().with_name("server.py")
REQUIREMENT = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
"""


class TerraformMissing(Exception):
    """There is no `terraform` to test with."""


def terraform():
    found = shutil.which("terraform")
    if found is None:
        raise TerraformMissing("`terraform` is not on the PATH; these tests need it")
    return found


def provider_address():
    """Returns host/namespace/name of `hashicorp/aws`, as Terraform completes it."""
    with tempfile.TemporaryDirectory() as module:
        pathlib.Path(module, "main.tf").write_text(REQUIREMENT, encoding="utf-8")
        listing = subprocess.run(
            [terraform(), "providers"],
            cwd=module,
            env={**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    return re.search(r"provider\[(\S+/hashicorp/aws)\]", listing).group(1)


def platform_name():
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{platform.system().lower()}_{machine}"


def build(folder):
    """Builds the mirror under a folder unless it is there; returns the rc file."""
    folder = pathlib.Path(folder).resolve()
    configuration = folder / "terraform.rc"
    version = values.Schema().provider_version
    # One mirror per interpreter and checkout, so that no stale script is used.
    mark = f"# {version} {sys.executable} {SERVER}\n"
    if configuration.is_file() and configuration.read_text(encoding="utf-8").startswith(mark):
        return configuration
    folder.mkdir(parents=True, exist_ok=True)
    mirror = pathlib.Path(tempfile.mkdtemp(prefix="mirror-", dir=folder))
    write_certificate(mirror)
    package = mirror / "packages" / provider_address() / version / platform_name()
    package.mkdir(parents=True)
    program = package / f"terraform-provider-aws_v{version}"
    program.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -sE "{SERVER}" "{mirror}"\n', encoding="utf-8"
    )
    program.chmod(0o755)
    text = (
        f"{mark}"
        "disable_checkpoint = true\n\n"
        "provider_installation {\n"
        "  filesystem_mirror {\n"
        f"    path = {json.dumps(str(mirror / 'packages'))}\n"
        "  }\n"
        "}\n"
    )
    written = mirror / "terraform.rc"
    written.write_text(text, encoding="utf-8")
    written.replace(configuration)
    return configuration


def certificate():
    """Returns a certificate for this machine alone, and its key, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return signed.public_bytes(serialization.Encoding.PEM), private


def write_certificate(folder):
    """Writes the certificate with which the server answers when Terraform wants TLS."""
    signed, private = certificate()
    (folder / "certificate.pem").write_bytes(signed)
    (folder / "key.pem").write_bytes(private)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(build(sys.argv[1]))
    except TerraformMissing as missing:
        sys.exit(f"error: {missing}")
