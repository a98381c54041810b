"""Runs a workflow's jobs on this machine, as GitHub's runner does.

    python runner.py < request.json > report.json

Every `run` step is run by the real shell with the options that the runner gives it, in its own
environment and with the runner's files (GITHUB_OUTPUT, GITHUB_PATH, GITHUB_ENV,
GITHUB_STEP_SUMMARY); what it prints is searched for workflow commands line by line. The steps that
use an action are done here: what `ACTIONS` does not know is an error, and so is any expression that
`expressions.py` does not know.

The request:

    workflow     path of the file
    context      the members of `github`: repository, ref, sha, event_name, event, …
    inputs       those of workflow_dispatch
    environment  of the machine; nothing else is passed on to a step
    origin       path of the repository that is checked out

The report has, for each job, `result`, `outputs`, `permissions` and `steps`; a step has `name`,
`outcome`, `log` (what people see), `commands` (what the runner did), `environment`, `summary`.
"""

import json
import os
import pathlib
import re
import secrets
import subprocess
import sys
import tempfile

import yaml

from expressions import evaluate, interpolate

# Those that any program's output may give; the runner knows no other.
COMMANDS = {
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
}
LARGEST_OUTPUT = LARGEST_SUMMARY = 1024 * 1024


class Workflow:
    def __init__(self, request):
        self.request = request
        # `on` is a boolean to YAML 1.1.
        self.content = yaml.safe_load(pathlib.Path(request["workflow"]).read_text("utf-8"))
        self.github = request["context"]
        self.results = {}

    def run(self):
        if self.content.get("permissions") != {}:
            sys.exit("the workflow's own permissions are to be none")
        waiting = dict(self.content["jobs"])
        while waiting:
            name = next(name for name in waiting if not set(needs(waiting[name])) & set(waiting))
            self.results[name] = self.run_job(waiting.pop(name))
        return self.results

    def run_job(self, content):
        needed = {name: self.results[name] for name in needs(content)}
        permissions = content.get("permissions", {})
        context = {
            "github": {**self.github, "token": token(permissions)},
            "needs": {
                name: {"result": job["result"], "outputs": job["outputs"]}
                for name, job in needed.items()
            },
            "inputs": self.request.get("inputs", {}),
        }
        failed = any(job["result"] != "success" for job in needed.values())
        if not is_wanted(content.get("if"), context, "failure" if failed else "success"):
            return {"result": "skipped", "outputs": {}, "permissions": permissions, "steps": []}
        return Job(self, content, context).run()


class Job:
    def __init__(self, workflow, content, context):
        self.workflow, self.content, self.context = workflow, content, context
        self.status = "success"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="job-"))
        self.workspace, self.temporary = self.folder / "workspace", self.folder / "temp"
        self.workspace.mkdir()
        self.temporary.mkdir()
        self.path, self.environment = [], {}
        self.context["steps"] = {}
        self.shell = workflow.content.get("defaults", {}).get("run", {}).get("shell")
        self.fixed = {**workflow.content.get("env", {}), **content.get("env", {})}

    def run(self):
        steps = [self.run_step(step) for step in self.content["steps"]]
        outputs = {
            name: interpolate(str(value), {**self.context, "status": self.status})
            for name, value in self.content.get("outputs", {}).items()
        }
        return {
            "result": self.status,
            "outputs": {name: value for name, value in outputs.items() if value != ""},
            "permissions": self.content.get("permissions", {}),
            "environment": self.content.get("environment"),
            "steps": steps,
        }

    def run_step(self, step):
        report = {"name": step["name"], "outcome": "skipped", "log": "", "commands": []}
        report |= {"environment": {}, "summary": ""}
        outputs = {}
        if is_wanted(step.get("if"), self.context, self.status):
            if "uses" in step:
                self.use(step, report)
            else:
                outputs = self.run_script(step, report)
            if report["outcome"] == "failure":
                self.status = "failure"
        if "id" in step:
            self.context["steps"][step["id"]] = {
                "outputs": outputs,
                "outcome": report["outcome"],
                "conclusion": report["outcome"],
            }
        return report

    def use(self, step, report):
        action, _, commit = step["uses"].partition("@")
        if not re.fullmatch(r"[0-9a-f]{40}", commit):
            sys.exit(f"{step['uses']} is not pinned by a commit")
        inputs = {
            name: interpolate(str(value), {**self.context, "status": self.status})
            for name, value in step.get("with", {}).items()
        }
        ACTIONS[action](self, {name: value.lower() if value in ("True", "False") else value
                               for name, value in inputs.items()})
        report["outcome"] = "success"
        report["log"] = json.dumps(inputs)

    def run_script(self, step, report):
        if "${{" in step["run"]:
            sys.exit(f"`{step['name']}` puts an expression into a script")
        script = self.temporary / f"{secrets.token_hex(8)}.sh"
        script.write_text(step["run"], "utf-8")
        options = {"bash": ["--noprofile", "--norc", "-eo", "pipefail"], None: ["-e"]}[
            step.get("shell", self.shell)
        ]
        files = {}
        for name in ["OUTPUT", "PATH", "ENV", "STEP_SUMMARY"]:
            files[name] = self.temporary / f"{name}-{secrets.token_hex(8)}"
            files[name].touch()
        own = {**self.fixed, **step.get("env", {})}
        context = {**self.context, "status": self.status}
        own = {name: interpolate(str(value), context) for name, value in own.items()}
        github = self.context["github"]
        environment = {
            **self.workflow.request["environment"],
            **self.environment,
            **own,
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": github["repository"],
            "GITHUB_REF": github["ref"],
            "GITHUB_SHA": github["sha"],
            "GITHUB_SERVER_URL": github["server_url"],
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.temporary),
            **{f"GITHUB_{name}": str(file) for name, file in files.items()},
        }
        environment["PATH"] = ":".join([*reversed(self.path), environment["PATH"]])
        process = subprocess.run(
            ["bash", *options, str(script)],
            cwd=self.workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        report["log"], report["commands"] = read_output(process.stdout)
        report["environment"] = environment
        report["summary"] = files["STEP_SUMMARY"].read_text("utf-8")
        if len(report["summary"].encode()) > LARGEST_SUMMARY:
            sys.exit(f"the summary of `{step['name']}` is too long")
        outputs = read_values(files["OUTPUT"])
        self.environment |= read_values(files["ENV"])
        self.path += files["PATH"].read_text("utf-8").split()
        report["outcome"] = "success" if process.returncode == 0 else "failure"
        report["code"] = process.returncode
        return outputs


def needs(job):
    named = job.get("needs", [])
    return [named] if isinstance(named, str) else named


def token(permissions):
    """A token that says what it may do; the other side holds it to that."""
    return "token:" + ";".join(f"{name}={value}" for name, value in sorted(permissions.items()))


def is_wanted(condition, context, status):
    context = {**context, "status": status}
    text = str(condition).strip() if condition is not None else ""
    if text.startswith("${{") and text.endswith("}}"):
        text = text[3:-2]
    # Without a word about the status, all before must have succeeded.
    if not re.search(r"\b(success|failure|always|cancelled)\(", text) and status != "success":
        return False
    return not text or bool(evaluate(text, context))


# --- what steps print and write -------------------------------------------------------------


def read_output(raw):
    """What people see of an output, and the commands in it."""
    # The runner reads lines as .NET does.
    lines = re.split("\r\n|\r|\n", raw.decode("utf-8", "replace"))
    log, commands, stopped = [], [], None
    for line in lines:
        found = command(line, COMMANDS | ({stopped} if stopped else set()))
        if found is None or (stopped and found["command"] != stopped):
            log.append(line)
            continue
        if stopped:
            stopped = None
        elif found["command"] == "stop-commands":
            stopped = found["data"]
        else:
            commands.append(found)
    return "\n".join(log), commands


def command(line, known):
    """The command of a line in either form, as the runner's parser finds it."""
    start = line.lstrip()
    if start.startswith("::") and (end := start.find("::", 2)) >= 0:
        name = start[2:end].split(" ")[0]
        if name.lower() in known or name in known:
            return {"command": name, "data": start[end + 2 :]}
    at = line.find("##[")
    if at >= 0 and (end := line.find("]", at)) >= 0:
        name = line[at + 3 : end].split(" ")[0]
        if name.lower() in known or name in known:
            return {"command": name, "data": line[end + 1 :]}
    return None


def read_values(file):
    """`NAME=VALUE` and `NAME<<END`, lines, `END`."""
    text = file.read_text("utf-8")
    if len(text.encode()) > LARGEST_OUTPUT:
        sys.exit("the outputs are too long")
    values, lines = {}, iter(text.split("\n"))
    for line in lines:
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, _, value = line.partition("=")
            values[name] = value
        elif heredoc >= 0:
            name, _, end = line.partition("<<")
            value = []
            for inner in lines:
                if inner == end:
                    break
                value.append(inner)
            else:
                sys.exit(f"the value of `{name}` does not end")
            values[name] = "\n".join(value)
        elif line:
            sys.exit(f"`{line}` is no output")
    return values


# --- actions ------------------------------------------------------------------------------------


def git(folder, *arguments):
    subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"},
    )


def check_out(job, inputs):
    if job.content["permissions"].get("contents") not in ("read", "write"):
        sys.exit("a job that checks out needs `contents: read`")
    if inputs.pop("persist-credentials") != "false":
        sys.exit("the token would stay in .git/config")
    depth = inputs.pop("fetch-depth", "1")
    if inputs:
        sys.exit(f"unknown inputs: {inputs}")
    github = job.context["github"]
    origin = pathlib.Path(job.workflow.request["origin"]).as_uri()
    git(job.workspace, "init", "--quiet", "--initial-branch=none")
    git(job.workspace, "fetch", "--quiet", f"--depth={depth}", origin, github["sha"])
    git(job.workspace, "checkout", "--quiet", "--detach", github["sha"])


def get_terraform(job, inputs):
    if inputs != {"terraform_version": terraform_version(), "terraform_wrapper": "false"}:
        sys.exit(f"the Terraform of this machine is {terraform_version()}: {inputs}")


def terraform_version():
    output = subprocess.run(["terraform", "version", "-json"], capture_output=True, check=True)
    return json.loads(output.stdout)["terraform_version"]


def take_role(job, inputs):
    if job.content["permissions"].get("id-token") != "write":
        sys.exit("a job that takes a role needs `id-token: write`")
    if not re.fullmatch(r"[\w+=,.@-]{2,64}", inputs["role-session-name"]):
        sys.exit("no name of a session")
    if inputs["role-to-assume"].split(":")[4] != inputs["allowed-account-ids"]:
        sys.exit("a role of another account")
    job.environment |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": inputs["aws-region"],
        "AWS_DEFAULT_REGION": inputs["aws-region"],
    }


ACTIONS = {
    "actions/checkout": check_out,
    "hashicorp/setup-terraform": get_terraform,
    "aws-actions/configure-aws-credentials": take_role,
}

if __name__ == "__main__":
    json.dump(Workflow(json.load(sys.stdin)).run(), sys.stdout)
