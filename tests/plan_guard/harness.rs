//! One account, exported and applied once; each case is a change of its repository, planned by the
//! real Terraform and judged by the program.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};

use crate::support::module::Module;
use crate::support::python::{Emulator, project, python};
use crate::support::run::export;

/// A change of the repository or of the state, and what the guard has to say of its plan.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: &'static str,
    /// Rules that refuse it, each with the address; empty: it may be applied.
    pub refused: Vec<(&'static str, &'static str)>,
    edits: Vec<Edit>,
    plan: Vec<&'static str>,
}

#[derive(Clone, Debug)]
enum Edit {
    File(&'static str, String),
    Remove(&'static str),
    Replace(&'static str, String, String),
    State(Value),
    Unknown(&'static str),
    Initialize,
}

/// A case that may be applied.
pub fn benign(name: &'static str) -> Case {
    Case { name, refused: Vec::new(), edits: Vec::new(), plan: Vec::new() }
}

/// A case that a rule refuses at an address; an empty one means the plan as a whole.
pub fn malicious(name: &'static str, rule: &'static str, address: &'static str) -> Case {
    Case { refused: vec![(rule, address)], ..benign(name) }
}

impl Case {
    /// Another rule that refuses it.
    pub fn and(mut self, rule: &'static str, address: &'static str) -> Case {
        self.refused.push((rule, address));
        self
    }

    /// A new file, its path below the repository.
    pub fn file(mut self, path: &'static str, text: impl Into<String>) -> Case {
        self.edits.push(Edit::File(path, text.into()));
        self
    }

    /// `terraform/new.tf`.
    pub fn hcl(self, text: impl Into<String>) -> Case {
        self.file("terraform/new.tf", text)
    }

    pub fn without(mut self, path: &'static str) -> Case {
        self.edits.push(Edit::Remove(path));
        self
    }

    /// Another text in a file, everywhere it stands.
    pub fn with(mut self, path: &'static str, from: &str, to: &str) -> Case {
        self.edits.push(Edit::Replace(path, from.to_owned(), to.to_owned()));
        self
    }

    /// A resource that the state holds besides; `deposed` in it marks a deposed object.
    pub fn state(mut self, resource_type: &str, name: &str, attributes: Value) -> Case {
        self.edits.push(Edit::State(json!({
            "type": resource_type, "name": name, "attributes": attributes,
        })));
        self
    }

    /// A resource that the state does not hold.
    pub fn unknown_to_state(mut self, address: &'static str) -> Case {
        self.edits.push(Edit::Unknown(address));
        self
    }

    /// Further arguments of `terraform plan`.
    pub fn plan(mut self, arguments: &[&'static str]) -> Case {
        self.plan.extend(arguments);
        self
    }

    /// With a refresh, which other cases go without.
    pub fn refreshed(self) -> Case {
        self.plan(&["-refresh=true"])
    }

    /// With modules, which Terraform has to take in first.
    pub fn initialized(mut self) -> Case {
        self.edits.push(Edit::Initialize);
        self
    }
}

/// What the guard said of a case.
#[derive(Debug)]
pub struct Verdict {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// Where its plan and its repository are.
    pub folder: PathBuf,
}

/// The account and its applied repository.
pub struct World {
    emulator: Emulator,
    provider: Provider,
    repository: PathBuf,
    runs: tempfile::TempDir,
    /// One lock for each case that is planned or being planned.
    planned: Mutex<BTreeMap<&'static str, Arc<OnceLock<()>>>>,
}

/// What of the account no case is about: half of it would take every plan half of its time.
const LEFT_OUT: [&str; 10] = [
    "iam_policy.AWSLambdaBasicExecutionRole-7d1c2b9e-4f0a-4c58-9b1e-2f6a3d5e8c01",
    "iam_policy.night,shift=ops+read@tokyo",
    "iam_policy.office-network",
    "iam_role.batch.worker",
    "iam_role.data+ml@tokyo",
    "iam_role.team=sorting,site=lyon",
    "iam_role.thumbnails-role-x1y2z3a4",
    "iam_role.warehouse-console",
    "organizations_policy.p-95tags2k0w",
    "organizations_policy.p-r7d2q9tz",
];

/// The process that serves the provider, which ends with the value.
struct Provider {
    process: Child,
    socket: String,
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::make)
}

impl World {
    fn make() -> World {
        let account = project().join("examples/account");
        let runs = tempfile::tempdir().expect("a folder");
        let repository = runs.path().join("base");
        let from = account.to_string_lossy().into_owned();
        let arguments = ["-q", "--organizations-attachments", "--from", &from];
        export(&[], &repository, &arguments).succeeded();
        for name in LEFT_OUT {
            let file = format!("terraform/{name}.tf");
            fs::remove_file(repository.join(file)).expect(name);
        }
        let emulator = Emulator::start(Some(&account));
        let module = Module::new(&repository.join("terraform"), &emulator);
        module.plan();
        module.apply();
        fs::remove_dir_all(repository.join("terraform/.terraform")).expect("initialized");
        for file in [".terraform.lock.hcl", "plan"] {
            fs::remove_file(repository.join("terraform").join(file)).expect("made");
        }
        let provider = Provider::start(&emulator);
        World { emulator, provider, repository, runs, planned: Mutex::default() }
    }

    /// Plans and judges all cases, several at once.
    pub fn judge(&self, cases: &[Case]) -> Vec<Verdict> {
        let next = AtomicUsize::new(0);
        let verdicts: Mutex<BTreeMap<usize, Verdict>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(case) = cases.get(index) else { break };
                        let verdict = self.judge_one(case);
                        verdicts.lock().expect("no panic").insert(index, verdict);
                    }
                });
            }
        });
        verdicts.into_inner().expect("no panic").into_values().collect()
    }

    /// What Terraform refuses to plan is a verdict too, so that one fault does not hide the others.
    fn judge_one(&self, case: &Case) -> Verdict {
        let planned = std::panic::catch_unwind(|| self.plan(case));
        match planned {
            Ok(folder) => guard(&folder, &[]),
            Err(_) => Verdict {
                code: None,
                stdout: String::new(),
                stderr: "no plan: see above\n".to_owned(),
                folder: PathBuf::new(),
            },
        }
    }

    /// The repository of a case, with `plan.json` in it.
    pub fn plan(&self, case: &Case) -> PathBuf {
        let folder = self.runs.path().join(case.name.replace(' ', "-"));
        let planned = {
            let mut all = self.planned.lock().expect("no panic");
            all.entry(case.name).or_default().clone()
        };
        planned.get_or_init(|| self.plan_in(case, &folder));
        folder
    }

    fn plan_in(&self, case: &Case, folder: &Path) {
        copy(&self.repository, folder);
        let state = folder.join("terraform/terraform.tfstate");
        for edit in &case.edits {
            match edit {
                Edit::File(path, text) => {
                    let path = folder.join(path);
                    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                    fs::write(path, text).expect("a file");
                }
                Edit::Remove(path) => fs::remove_file(folder.join(path)).expect(path),
                Edit::Replace(path, from, to) => {
                    let text = fs::read_to_string(folder.join(path)).expect(path);
                    assert!(text.contains(from), "{}: no `{from}` in {path}", case.name);
                    fs::write(folder.join(path), text.replace(from, to)).expect(path);
                }
                Edit::State(resource) => change_state(&state, |resources| add(resources, resource)),
                Edit::Unknown(address) => change_state(&state, |resources| {
                    let count = resources.len();
                    let name = |of: &Value| format!("{}.{}", text(of, "type"), text(of, "name"));
                    resources.retain(|resource| name(resource) != *address);
                    assert!(resources.len() < count, "{}: no {address}", case.name);
                }),
                Edit::Initialize => {
                    self.terraform(case, folder, &["get"]);
                }
            }
        }
        let plan = ["plan", "-input=false", "-lock=false", "-out=plan", "-refresh=false"];
        let arguments = [&plan[..], &case.plan].concat();
        self.terraform(case, folder, &arguments);
        let shown = self.terraform(case, folder, &["show", "-json", "plan"]);
        fs::write(folder.join("plan.json"), shown.stdout).expect("a file");
    }

    fn terraform(&self, case: &Case, folder: &Path, arguments: &[&str]) -> Output {
        let provider = json!({
            "Protocol": "grpc", "ProtocolVersion": 6, "Pid": self.provider.process.id(), "Test": true,
            "Addr": { "Network": "unix", "String": self.provider.socket },
        });
        let names =
            ["hashicorp/aws", "evil/aws", "hashicorp/external", "hashicorp/http", "hashicorp/null"];
        let providers: serde_json::Map<String, Value> = names
            .iter()
            .map(|name| (format!("registry.terraform.io/{name}"), provider.clone()))
            .collect();
        let output = Command::new("terraform")
            .args(arguments)
            .arg("-no-color")
            .current_dir(folder.join("terraform"))
            .env("TF_REATTACH_PROVIDERS", Value::Object(providers).to_string())
            .env("TF_CLI_CONFIG_FILE", "/dev/null")
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .envs(self.emulator.environment())
            .output()
            .expect("these tests need the program `terraform` 1.7 or newer on the PATH");
        assert!(
            output.status.success(),
            "{}: terraform {arguments:?}\n{}\n{}",
            case.name,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }
}

impl Provider {
    fn start(emulator: &Emulator) -> Provider {
        let mut process = Command::new(python())
            .arg(project().join("tests/plan_guard/provider.py"))
            .envs(emulator.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the provider starts");
        let mut socket = String::new();
        let stdout = process.stdout.as_mut().expect("a pipe");
        BufReader::new(stdout).read_line(&mut socket).expect("the provider prints its socket");
        assert!(!socket.trim().is_empty(), "the provider did not start");
        Provider { process, socket: socket.trim().to_owned() }
    }
}

/// Runs the program on the plan in a repository.
pub fn guard(folder: &Path, arguments: &[&str]) -> Verdict {
    let output = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
        .args(["guard", "plan.json"])
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("the program runs");
    Verdict {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        folder: folder.to_owned(),
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).expect("a copy")),
        }
    }
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

fn change_state(path: &Path, change: impl FnOnce(&mut Vec<Value>)) {
    let mut state: Value = serde_json::from_slice(&fs::read(path).expect("a state")).expect("JSON");
    change(state["resources"].as_array_mut().expect("resources"));
    fs::write(path, state.to_string()).expect("a state");
}

/// Adds an object to the state, to a resource that is there or as a new one.
fn add(resources: &mut Vec<Value>, added: &Value) {
    let mut instance = json!({ "schema_version": 0, "attributes": added["attributes"].clone() });
    if let Some(deposed) =
        instance["attributes"].as_object_mut().and_then(|of| of.remove("deposed"))
    {
        instance["deposed"] = deposed;
    }
    if let Some(key) = instance["attributes"].as_object_mut().and_then(|of| of.remove("index_key"))
    {
        instance["index_key"] = key;
    }
    let is_it = |of: &&mut Value| of["type"] == added["type"] && of["name"] == added["name"];
    match resources.iter_mut().find(is_it) {
        Some(found) => found["instances"].as_array_mut().expect("instances").push(instance),
        None => resources.push(json!({
            "mode": "managed", "type": added["type"], "name": added["name"],
            "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]",
            "instances": [instance],
        })),
    }
}
