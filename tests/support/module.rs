//! A generated module under the real Terraform, with the double of the provider and the emulator.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

use super::python::{Emulator, project, python};
use super::stdout_of;

/// The CLI configuration with which `terraform init` finds the double of the provider.
pub fn cli_configuration() -> &'static Path {
    static CONFIGURATION: OnceLock<PathBuf> = OnceLock::new();
    CONFIGURATION.get_or_init(|| {
        let output = Command::new(python())
            .arg(project().join("tests/provider/mirror.py"))
            .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("provider"))
            .output()
            .expect("run mirror.py");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8(output.stdout).expect("UTF-8").trim())
    })
}

/// A root module and the account it is about.
pub struct Module<'a> {
    folder: PathBuf,
    emulator: &'a Emulator,
}

/// A plan, as `terraform show -json` tells it.
pub struct Plan(Value);

impl<'a> Module<'a> {
    /// Initializes the module in `folder`.
    pub fn new(folder: &Path, emulator: &'a Emulator) -> Module<'a> {
        Module::initialize(folder, emulator).unwrap_or_else(|output| {
            panic!("`terraform init` failed:\n{}", String::from_utf8_lossy(&output.stderr))
        })
    }

    /// Initializes the module in `folder`, or tells what Terraform said.
    pub fn initialize(folder: &Path, emulator: &'a Emulator) -> Result<Module<'a>, Output> {
        let module = Module { folder: folder.to_owned(), emulator };
        let output = module.output(&["init", "-input=false"]);
        if output.status.success() { Ok(module) } else { Err(output) }
    }

    /// Runs a command that must succeed; the answer is its stdout.
    pub fn run(&self, arguments: &[&str]) -> String {
        stdout_of(arguments, &self.output(arguments))
    }

    /// Runs a command, whatever it answers.
    pub fn output(&self, arguments: &[&str]) -> Output {
        Command::new("terraform")
            .args(arguments)
            .current_dir(&self.folder)
            .env("TF_CLI_CONFIG_FILE", cli_configuration())
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .envs(self.emulator.environment())
            .arg("-no-color")
            .output()
            .expect("these tests need the program `terraform` 1.7 or newer on the PATH")
    }

    pub fn plan(&self) -> Plan {
        self.run(&["plan", "-input=false", "-out=plan", "-parallelism=20"]);
        Plan(serde_json::from_str(&self.run(&["show", "-json", "plan"])).expect("JSON"))
    }

    /// Applies the plan that was made last.
    pub fn apply(&self) {
        self.run(&["apply", "-input=false", "-parallelism=20", "plan"]);
    }
}

impl Plan {
    fn changes(&self) -> impl Iterator<Item = &Value> {
        self.0["resource_changes"].as_array().into_iter().flatten()
    }

    /// Address and actions of every resource that is not left as it is.
    pub fn actions(&self) -> Vec<String> {
        let changed = self.changes().filter(|change| change["change"]["actions"][0] != "no-op");
        changed
            .map(|change| {
                let actions = change["change"]["actions"].as_array().expect("actions");
                let actions: Vec<_> = actions.iter().filter_map(Value::as_str).collect();
                format!("{} {}", change["address"].as_str().expect("text"), actions.join("+"))
            })
            .collect()
    }

    /// The addresses that are imported.
    pub fn imports(&self) -> Vec<String> {
        let imported = self.changes().filter(|change| !change["change"]["importing"].is_null());
        imported.map(|change| change["address"].as_str().expect("text").to_owned()).collect()
    }

    /// Whether the plan is about a resource at all.
    pub fn has(&self, address: &str) -> bool {
        self.changes().any(|change| change["address"] == address)
    }

    /// How many resources the plan is about.
    pub fn resources(&self) -> usize {
        self.changes().count()
    }

    /// The arguments in which before and after of one resource differ.
    pub fn changed_arguments(&self, address: &str) -> Vec<String> {
        let change = self.change(address);
        let (Some(before), Some(after)) =
            (change["before"].as_object(), change["after"].as_object())
        else {
            return Vec::new();
        };
        let is_unknown = |name: &String| change["after_unknown"][name] == true;
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let differs = |name: &&String| !is_unknown(name) && before.get(*name) != after.get(*name);
        names.into_iter().filter(differs).cloned().collect()
    }

    /// Before and after of one resource.
    pub fn change(&self, address: &str) -> &Value {
        let change = self.changes().find(|change| change["address"] == address);
        &change.unwrap_or_else(|| panic!("the plan has no {address}"))["change"]
    }
}
