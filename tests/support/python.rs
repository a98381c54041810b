//! What the tests have in other languages: packages of Python and Node, and the AWS emulator.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The folder of the project.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A Python that has what `tests/requirements.txt` names; installed below `target/` at first use.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| install("tests/requirements.txt", "python"))
}

/// A Python that has what `tests/ministack.txt` names, likewise.
pub fn ministacks_python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| install("tests/ministack.txt", "ministack"))
}

fn install(requirements: &str, folder: &str) -> PathBuf {
    let requirements = project().join(requirements);
    let wanted = fs::read_to_string(&requirements).expect("the requirements");
    // Cargo makes this folder for the tests of one build; several test programs share it.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let (python, installed) = (folder.join("venv/bin/python"), folder.join("installed.txt"));
    fs::create_dir_all(&folder).expect("folder for Python");
    let lock = fs::File::create(folder.join("lock")).expect("lock file");
    lock.lock().expect("lock on the Python folder");
    if fs::read_to_string(&installed).is_ok_and(|has| has == wanted) {
        return python;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder.join("venv")));
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(&requirements));
    fs::write(&installed, wanted).expect("note what is installed");
    python
}

/// A folder in which Node finds the evaluator of IAM policies; installed below `target/` at first use.
pub fn evaluators_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let wanted = fs::read_to_string(project().join("tests/evaluator/packages.txt"))
            .expect("the packages");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("evaluator");
        let installed = folder.join("installed.txt");
        fs::create_dir_all(&folder).expect("a folder for Node");
        let lock = fs::File::create(folder.join("lock")).expect("lock file");
        lock.lock().expect("lock on Node's folder");
        if !fs::read_to_string(&installed).is_ok_and(|has| has == wanted) {
            fs::write(folder.join("package.json"), "{\"private\": true}").expect("a package");
            let packages = wanted.lines().filter(|line| !line.starts_with('#'));
            let output = Command::new("npm")
                .args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"])
                .args(packages)
                .current_dir(&folder)
                .output()
                .expect("this test needs Node with the program `npm`");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "`npm install` failed: {said}");
            fs::write(&installed, wanted).expect("note what is installed");
        }
        folder
    })
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("these tests need Python 3.11 with venv: {command:?}: {error}")
    });
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An AWS account on a port of this machine; it ends with the value.
pub struct Emulator {
    process: Child,
    pub endpoint: String,
}

impl Emulator {
    /// Starts the emulator with an account: a folder of an export, or what the AWS CLI wrote.
    pub fn start(account: Option<&Path>) -> Emulator {
        let mut command = Command::new(python());
        command.arg(project().join("tests/provider/emulator.py")).args(account);
        Emulator::run(command)
    }

    /// Starts an emulator that takes any policy document, for what AWS took in earlier years.
    pub fn unchecked(account: &Path) -> Emulator {
        let mut command = Command::new(python());
        command.arg(project().join("tests/provider/emulator.py")).arg("--unchecked").arg(account);
        Emulator::run(command)
    }

    fn run(mut command: Command) -> Emulator {
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start the emulator");
        let mut port = String::new();
        BufReader::new(process.stdout.as_mut().expect("a pipe"))
            .read_line(&mut port)
            .expect("the emulator prints its port");
        assert!(!port.trim().is_empty(), "the emulator did not start");
        Emulator { process, endpoint: format!("http://127.0.0.1:{}", port.trim()) }
    }

    /// Runs statements of Python in which `client` calls the API: `client.iam("GetRole", …)`.
    pub fn call(&self, statements: &str) -> String {
        let output = Command::new(python())
            .args(["-c", &format!("import os\nfrom api import Client\nclient = Client(os.environ['AWS_ENDPOINT_URL'])\n{statements}")])
            .env("PYTHONPATH", project().join("tests/provider"))
            .envs(self.environment())
            .output()
            .expect("run Python");
        assert!(
            output.status.success(),
            "{statements}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The environment in which the AWS SDKs and Terraform use the emulator.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
