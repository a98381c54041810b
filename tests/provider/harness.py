"""Runs the real Terraform and the emulator for the tests of this folder.

An `Emulator` is one emulated account in a process of its own; a `Workspace` is a
Terraform root module with this provider installed. Neither judges anything.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import mirror
from api import Client

HERE = pathlib.Path(__file__).resolve().parent
HEADER = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
"""


class Emulator:
    """An emulated account, filled with the given entities; a context manager."""

    def __init__(self, **account):
        self.account = {"account": "111122223333", **account}

    def __enter__(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump(self.account, file)
            file.flush()
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "emulator.py"), file.name],
                stdout=subprocess.PIPE,
                text=True,
            )
            port = self.process.stdout.readline().strip()
        if not port:
            raise RuntimeError("the emulator did not start")
        self.endpoint = f"http://127.0.0.1:{port}"
        self.client = Client(self.endpoint)
        return self

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


class Workspace:
    """A folder with a configuration, and the commands on it; a context manager."""

    def __init__(self, emulator, configuration="", provider="", **environment):
        self.emulator, self.provider, self.environment = emulator, provider, environment
        self.configuration = configuration

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)
        self.write(self.configuration)
        self.run("init", "-input=false")
        return self

    def __exit__(self, *error):
        self.temporary.cleanup()

    def write(self, configuration):
        text = f'{HEADER}\nprovider "aws" {{\n{self.provider}\n}}\n{configuration}'
        (self.folder / "main.tf").write_text(text, encoding="utf-8")

    def run(self, *arguments, fails=False):
        """Runs a command; returns its output, or its errors if it is to fail.

        With `fails=None` it may do either, and its output is returned.
        """
        finished = subprocess.run(
            [mirror.terraform(), *arguments, "-no-color"],
            cwd=self.folder,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_"))},
                "AWS_ENDPOINT_URL": self.emulator.endpoint,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_REGION": "us-east-1",
                "TF_CLI_CONFIG_FILE": str(mirror.build(mirror_folder())),
                **self.environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if fails is not None and (finished.returncode != 0) != fails:
            raise AssertionError(
                f"terraform {' '.join(arguments)} ended with {finished.returncode}:\n"
                f"{finished.stdout}{finished.stderr}"
            )
        return finished.stderr if fails else finished.stdout

    def plan(self, configuration=None, *arguments):
        """Returns the plan as JSON."""
        if configuration is not None:
            self.write(configuration)
        self.run("plan", "-input=false", "-out=plan", *arguments)
        return json.loads(self.run("show", "-json", "plan"))

    def apply(self, configuration=None, *arguments):
        if configuration is not None:
            self.write(configuration)
        self.run("apply", "-input=false", "-auto-approve", *arguments)

    def diagnostics(self):
        """Returns what `validate` refuses."""
        finished = json.loads(self.run("validate", "-json", fails=None))
        return finished["diagnostics"]

    def state(self):
        """Returns the attributes of each resource in the state, by address."""
        shown = json.loads(self.run("show", "-json"))
        resources = shown.get("values", {}).get("root_module", {}).get("resources", [])
        return {resource["address"]: resource["values"] for resource in resources}


def mirror_folder():
    return pathlib.Path(tempfile.gettempdir()) / f"aws-provider-double-{os.getuid()}"


def changes(plan):
    """Returns for each address of a plan: its actions, and which arguments change."""
    found = {}
    for resource in plan["resource_changes"]:
        change = resource["change"]
        before, after = change["before"] or {}, change["after"] or {}
        unknown = change.get("after_unknown") or {}
        differing = {
            name
            for name in {**before, **after, **unknown}
            if before.get(name) != after.get(name) or unknown.get(name) is True
        }
        actions = tuple(change["actions"])
        found[resource["address"]] = (
            actions,
            differing if actions in (("update",), ("delete", "create")) else set(),
        )
    return found
