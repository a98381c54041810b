//! The infrastructure in `terraform/` under the real Terraform, with the double of the provider: a
//! copy of the module, its plans, and what its policies say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use super::module::cli_configuration;
use super::python::{Emulator, project};
use super::stdout_of;

pub const ACCOUNT: &str = "111122223333";
/// Some digest of an image.
pub const DIGEST: &str = "sha256:4b1d0000000000000000000000000000000000000000000000000000000000e7";

/// A copy of the module, initialized, in a folder with sources of an image.
pub struct Infrastructure {
    folder: tempfile::TempDir,
    emulator: Emulator,
}

impl Infrastructure {
    pub fn new() -> Infrastructure {
        Infrastructure::of("terraform")
    }

    /// A module of the project by its folder.
    pub fn of(source: &str) -> Infrastructure {
        let folder = tempfile::tempdir().expect("a folder");
        let account = folder.path().join("account.json");
        fs::write(&account, format!("{{\"account\": \"{ACCOUNT}\"}}")).expect("an account");
        let module = folder.path().join("terraform");
        fs::create_dir(&module).expect("a folder");
        for entry in fs::read_dir(project().join(source)).expect("the module") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
            let belongs = name.ends_with(".tf") || matches!(name, "deploy.sh" | "Makefile");
            if belongs && name != "backend.tf" {
                fs::copy(&path, module.join(name)).expect("a copy");
            }
        }
        let emulator = Emulator::start(Some(&account));
        let infrastructure = Infrastructure { folder, emulator };
        infrastructure.run(&["init", "-input=false"], &[]);
        infrastructure
    }

    /// The one that all tests of a program plan with; none of them applies anything.
    pub fn to_plan() -> &'static Infrastructure {
        static SHARED: OnceLock<Infrastructure> = OnceLock::new();
        SHARED.get_or_init(Infrastructure::new)
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn module(&self) -> PathBuf {
        self.folder.path().join("terraform")
    }

    /// A program in the module's folder, with these variables and nothing of the caller's settings.
    pub fn command(&self, program: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.module())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("TF_CLI_CONFIG_FILE", cli_configuration())
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_CLI_ARGS", "-no-color")
            .env("CHECKPOINT_DISABLE", "1")
            .env("PROVIDER_DOUBLE_RECORDED", "1")
            .envs(self.emulator.environment())
            .envs(variables.iter().map(|(name, value)| (format!("TF_VAR_{name}"), value)))
            .stdin(Stdio::null());
        command
    }

    pub fn output(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = self.command("terraform", variables);
        command
            .args(arguments)
            .output()
            .expect("this test needs the program `terraform`, 1.10 or newer")
    }

    pub fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        stdout_of(arguments, &self.output(arguments, variables))
    }

    /// A plan with these variables, beside the repository and an image.
    pub fn plan(&self, variables: &[(&str, &str)]) -> Planned {
        let plan = tempfile::NamedTempFile::new().expect("a file");
        let out = format!("-out={}", plan.path().display());
        let mut all = vec![("repository", "example-org/iam"), ("image_digest", DIGEST)];
        all.extend(variables);
        self.run(&["plan", "-input=false", "-lock=false", &out], &all);
        let shown = self.run(&["show", "-json", plan.path().to_str().expect("UTF-8")], &[]);
        Planned(serde_json::from_str(&shown).expect("JSON"))
    }

    /// The account that plans and applies are about.
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }
}

/// A plan that creates everything.
pub struct Planned(Value);

impl Planned {
    fn resources(&self) -> impl Iterator<Item = &Value> {
        let changes = self.0["resource_changes"].as_array().into_iter().flatten();
        changes.filter(|change| change["mode"] == "managed")
    }

    pub fn addresses(&self) -> Vec<&str> {
        self.resources().filter_map(|change| change["address"].as_str()).collect()
    }

    pub fn has(&self, address: &str) -> bool {
        self.addresses().contains(&address)
    }

    /// What a resource is planned to be.
    #[track_caller]
    pub fn after(&self, address: &str) -> &Value {
        let found = self.resources().find(|change| change["address"] == address);
        &found.unwrap_or_else(|| panic!("no {address}: {:?}", self.addresses()))["change"]["after"]
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.resources().map(|change| {
            (change["address"].as_str().expect("an address"), &change["change"]["after"])
        })
    }

    /// The document in an argument, which the plan has to know.
    #[track_caller]
    pub fn document(&self, address: &str, argument: &str) -> Value {
        let text = self.after(address)[argument].as_str();
        serde_json::from_str(text.unwrap_or_else(|| panic!("{address}.{argument} is not known")))
            .expect("a policy is JSON")
    }

    /// The actions of the statement with this name in a role's policy.
    #[track_caller]
    pub fn actions(&self, address: &str, sid: &str) -> Vec<String> {
        let document = self.document(address, "policy");
        let statements = document["Statement"].as_array().expect("statements");
        let statement = statements.iter().find(|statement| statement["Sid"] == sid);
        let actions = &statement.unwrap_or_else(|| panic!("{address} has no {sid}"))["Action"];
        let one = actions.as_str().map(str::to_owned);
        let many = actions.as_array().into_iter().flatten();
        let mut found: Vec<String> =
            many.filter_map(Value::as_str).map(str::to_owned).chain(one).collect();
        found.sort();
        found
    }
}
