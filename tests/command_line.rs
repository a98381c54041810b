//! The command line: exit codes, what goes to stdout and what to stderr, and the texts themselves.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::assert_snapshot;
use tempfile::TempDir;

const ROLES: &str = r#"{
  "RoleDetailList": [
    {
      "Path": "/",
      "RoleName": "deploy",
      "RoleId": "AROAEXAMPLE",
      "Arn": "arn:aws:iam::111122223333:role/deploy",
      "AssumeRolePolicyDocument": {}
    }
  ]
}
"#;

/// Runs the program in a folder of its own.
struct Place {
    root: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { root: tempfile::tempdir().expect("temporary folder") }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("make a folder");
        fs::write(path, content).expect("write");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"));
        command.args(arguments).current_dir(self.root.path()).env("COLUMNS", "100");
        command
    }

    fn run(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command(arguments).output().expect("the program starts"))
    }
}

struct Answer {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Answer {
    fn of(output: Output) -> Answer {
        Answer {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

fn example() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/account").display().to_string()
}

fn run(arguments: &[&str]) -> Answer {
    Place::new().run(arguments)
}

mod usage {
    use super::*;

    #[test]
    fn wrong_usage_exits_with_2_and_names_what_is_wrong() {
        for (arguments, text) in [
            (&["export", "--to", "x", "--nope"][..], "unexpected argument '--nope'"),
            (&["export"], "--to <DIR>"),
            (&["export", "--to"], "--to <DIR>"),
            (&["nope"], "unrecognized subcommand 'nope'"),
            (&[], "Usage: aws-iam-gitops"),
            (&["export", "--to", "x", "--output", "yaml"], "[possible values: text, json]"),
            (&["export", "--to", "x", "--concurrency", "0"], "0 is not in 1..=64"),
            (&["export", "--to", "x", "--from", "y", "--account", "12"], "twelve digits"),
            (&["export", "--to", "x", "--account", "111122223333"], "--from <PATH>..."),
            (&["export", "--to", "x", "--from", "y", "--profile", "z"], "cannot be used with"),
            (&["export", "--to", "x", "-q", "-v"], "cannot be used with"),
            (&["completions", "tcsh"], "[possible values: bash, elvish, fish, powershell, zsh]"),
            (
                &["man", "nope"],
                "[possible values: export, sync, event, status, adopt, render, guard, authorization-details, init, sanitize, demo, completions, man]",
            ),
        ] {
            let place = Place::new();
            let answer = place.run(arguments);
            assert_eq!(answer.code, Some(2), "{arguments:?}");
            assert_eq!(answer.stdout, "", "{arguments:?}");
            assert!(answer.stderr.contains(text), "{arguments:?}: {}", answer.stderr);
            assert!(!place.path("x").exists(), "{arguments:?}");
        }
    }

    #[test]
    fn version_is_that_of_the_package() {
        let expected = format!("aws-iam-gitops {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(run(&["--version"]).stdout, expected);
    }

    #[test]
    fn help_of_every_command() {
        for (name, arguments) in [
            ("help", &["--help"][..]),
            ("help_export", &["export", "--help"]),
            ("help_sync", &["sync", "--help"]),
            ("help_event", &["event", "--help"]),
            ("help_status", &["status", "--help"]),
            ("help_adopt", &["adopt", "--help"]),
            ("help_render", &["render", "--help"]),
            ("help_guard", &["guard", "--help"]),
            ("help_authorization_details", &["authorization-details", "--help"]),
            ("help_init", &["init", "--help"]),
            ("help_sanitize", &["sanitize", "--help"]),
            ("help_demo", &["demo", "--help"]),
            ("help_completions", &["completions", "--help"]),
            ("help_man", &["man", "--help"]),
        ] {
            let answer = run(arguments);
            assert_eq!(answer.code, Some(0));
            assert_eq!(answer.stderr, "");
            assert_snapshot(name, &answer.stdout);
        }
    }
}

mod input {
    use super::*;

    /// Input that cannot be used: nothing is written, nothing stands on stdout.
    fn assert_refused(place: &Place, from: &[&str], expected: &str) {
        let arguments = [&["export", "-q", "--to", "to", "--from"], from].concat();
        let answer = place.run(&arguments);
        assert_eq!(answer.code, Some(1), "{from:?}");
        assert_eq!(answer.stdout, "", "{from:?}");
        assert_eq!(answer.stderr, expected, "{from:?}");
        assert!(!place.path("to").exists(), "{from:?}");
    }

    const START: &str = "\nhint: `aws iam get-account-authorization-details > authorization-details.json` is the file \
         to start with; `aws-iam-gitops export --help` lists the others\n";
    const CUT_SHORT: &str = "\nhint: the AWS CLI prints JSON with `--output json`; a command that fails leaves an empty file\n";

    #[test]
    fn file_that_is_not_there_is_named() {
        assert_refused(
            &Place::new(),
            &["missing.json"],
            "error: cannot read `missing.json`\n  caused by: No such file or directory (os error 2)\n",
        );
    }

    #[test]
    fn file_that_is_not_json_is_named_with_the_line() {
        let place = Place::new();
        place.write("empty.json", "");
        place.write("blank.json", "\n\n");
        place.write("table.json", "{\n}\n|  RoleDetailList |\n");
        place.write("cut.json", "{\n  \"RoleDetailList\": [\n");
        place.write("binary.json", "\u{1}");
        for (file, problem) in [
            ("empty.json", "the file is empty"),
            ("blank.json", "the file is empty"),
            ("table.json", "`table.json` is no output of the AWS CLI that this program reads"),
            ("cut.json", "EOF while parsing a list at line 3 column 0"),
            ("binary.json", "expected value at line 1 column 1"),
        ] {
            let expected = match problem.contains(file) {
                true => format!("error: {problem}\n{START}"),
                false => format!("error: `{file}` is not valid JSON: {problem}\n{CUT_SHORT}"),
            };
            assert_refused(&place, &[file], &expected);
        }
    }

    #[test]
    fn json_of_another_kind_is_named() {
        let place = Place::new();
        place.write("good.json", ROLES);
        for (index, content) in
            ["{}", "[]", "1", "{\"Users\": []}", "{\"Role\": {}} []"].iter().enumerate()
        {
            let file = format!("other-{index}.json");
            place.write(&file, content);
            let expected = format!(
                "error: `{file}` is no output of the AWS CLI that this program reads\n{START}"
            );
            assert_refused(&place, &["good.json", &file], &expected);
        }
    }

    #[test]
    fn nothing_to_export_is_an_error() {
        let place = Place::new();
        place.write("folder/README.md", "no JSON here\n");
        place.write("list-roles.json", "{\"Roles\": []}\n");
        place.write(
            "details.json",
            "{\"UserDetailList\": [], \"RoleDetailList\": [], \"Policies\": []}\n",
        );
        for file in ["folder", "list-roles.json", "details.json"] {
            let expected = format!("error: there is nothing to export in `{file}`\n{START}");
            assert_refused(&place, &[file], &expected);
        }
    }

    #[test]
    fn targets_of_nobody_knows_which_policy_are_refused() {
        let place = Place::new();
        place.write("good.json", ROLES);
        for (file, content) in
            [("targets.json", "{\"Targets\": []}"), ("tags.json", "{\"Tags\": []}")]
        {
            place.write(file, content);
            assert_refused(
                &place,
                &["good.json", file],
                &format!(
                    "error: the name of `{file}` holds no policy ID such as `p-a1b2c3d4`, and its content does not \
                     name the policy\n\nhint: call the file, for example, `list-targets-for-policy.p-a1b2c3d4.json`\n"
                ),
            );
        }
    }

    #[test]
    fn malformed_entity_is_named_with_file_and_line_and_the_rest_is_exported() {
        let place = Place::new();
        place.write("good.json", ROLES);
        place.write(
            "bad.json",
            &ROLES.replace("\"deploy\"", "1").replace(":role/deploy", ":role/x"),
        );
        let answer = place.run(&["export", "-q", "--to", "to", "--from", "good.json", "bad.json"]);
        assert_eq!(answer.code, Some(1));
        assert_eq!(
            answer.stderr,
            "error: cannot read roles: `bad.json` line 5: this is not the role that the AWS CLI prints: \
             invalid type: integer `1`, expected a string\n"
        );
        assert!(place.path("to/roles/deploy.json").exists());
    }

    #[test]
    fn folder_that_is_a_file_is_named() {
        let place = Place::new();
        place.write("good.json", ROLES);
        let answer = place.run(&["export", "-q", "--to", "good.json", "--from", "good.json"]);
        assert_eq!(answer.code, Some(1));
        assert_eq!(answer.stdout, "");
        assert!(answer.stderr.starts_with("error: cannot list `good.json/"), "{}", answer.stderr);
    }
}

mod output {
    use super::*;

    #[test]
    fn summary_of_the_example_account() {
        let place = Place::new();
        let answer = place.run(&["export", "-q", "--from", &example(), "--to", "iam"]);
        assert_eq!(answer.code, Some(0));
        assert_eq!(answer.stderr, "");
        assert_snapshot("summary_first", &answer.stdout);
        let answer = place.run(&["export", "-q", "--from", &example(), "--to", "iam"]);
        assert_snapshot("summary_second", &answer.stdout);
    }

    #[test]
    fn summary_of_a_folder_with_edits() {
        let place = Place::new();
        let from = example();
        let details = format!("{from}/iam/get-account-authorization-details.json");
        place.run(&["export", "-q", "--from", &from, "--to", "iam"]);
        for (file, text) in [
            ("iam_role.github-deploy.tf", "# pending\n"),
            ("iam_role.break-glass.tf", "# conflicting\n"),
            ("iam_policy.parcel-data.tf", "# conflicting\n"),
        ] {
            place.write(&format!("iam/terraform/{file}"), text);
        }
        // Less is known than before: without list-roles, descriptions are gone.
        let organizations =
            format!("{from}/organizations/list-policies.SERVICE_CONTROL_POLICY.json");
        let answer =
            place.run(&["export", "-q", "-n", "--from", &details, &organizations, "--to", "iam"]);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        assert_snapshot("summary_edits", &answer.stdout);
    }

    #[test]
    fn json_is_valid_and_counts_what_the_text_counts() {
        let place = Place::new();
        let arguments = ["export", "-q", "-n", "--from", &example(), "--to", "iam"];
        let text = place.run(&arguments).stdout;
        let json = place.run(&[&arguments[..], &["--output", "json"]].concat()).stdout;
        let summary: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(summary["account"], "111122223333");
        let count = |value: &Value| value.as_array().expect("a list").len() as u64;
        for kind in summary["kinds"].as_array().expect("kinds") {
            let name = kind["kind"].as_str().expect("a name");
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            // A kind of which there is nothing has no line.
            let shown: Vec<u64> = line
                .unwrap_or("0 0 0 0")
                .split_whitespace()
                .map(|n| n.parse().expect("a number"))
                .collect();
            let counted = [
                count(&kind["written"]),
                kind["unchanged"].as_u64().expect("a number"),
                count(&kind["removed"]),
                count(&kind["skipped"]),
            ];
            assert_eq!(shown, counted, "{name}");
        }
    }

    #[test]
    fn stdout_is_data_and_logs_go_to_stderr() {
        let place = Place::new();
        let arguments = ["export", "--from", &example(), "--to", "iam", "--output", "json"];
        let answer = place.run(&arguments);
        serde_json::from_str::<Value>(&answer.stdout).expect("nothing but JSON");
        assert!(answer.stderr.lines().all(|line| line.contains(" INFO ")), "{}", answer.stderr);
        assert!(answer.stderr.contains("exported written=32"), "{}", answer.stderr);
        let answer = place.run(&[&arguments[..], &["-vv"]].concat());
        serde_json::from_str::<Value>(&answer.stdout).expect("nothing but JSON");
        assert_eq!(place.run(&[&arguments[..], &["-q"]].concat()).stderr, "");
    }

    #[test]
    fn closed_stdout_is_no_panic() {
        for arguments in [
            &["export", "-q", "--to", "iam", "--from", &example()][..],
            &["export", "-q", "--to", "iam", "--output", "json", "--from", &example()],
            &["completions", "zsh"],
            &["man", "export"],
            &["export", "--help"],
        ] {
            let place = Place::new();
            let mut child = place
                .command(arguments)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the program starts");
            drop(child.stdout.take());
            let mut stderr = String::new();
            child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("UTF-8");
            let status = child.wait().expect("wait");
            assert_eq!(stderr, "", "{arguments:?}");
            assert_eq!(status.code(), Some(0), "{arguments:?}");
        }
    }

    #[test]
    fn reader_that_has_seen_enough_is_no_panic() {
        let place = Place::new();
        let mut child = place
            .command(&["man", "export"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::with_capacity(16, stdout).read_line(&mut line).expect("a line");
        let mut stderr = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("UTF-8");
        assert_eq!((stderr.as_str(), child.wait().expect("wait").code()), ("", Some(0)));
        assert!(!line.is_empty());
    }
}

mod generated {
    use super::*;

    /// The long options of a command, as its help has them.
    fn options(command: &str) -> Vec<String> {
        let help = run(&[command, "--help"]).stdout;
        let first_word = |line: &str| {
            let line = line.trim_start();
            let start = line.find("--").filter(|start| *start < 5)?;
            let option = line[start..].split([' ', '.', ',']).next()?;
            line.starts_with('-').then(|| option.to_owned())
        };
        let options: Vec<_> = help.lines().filter_map(first_word).collect();
        assert!(options.len() > 3, "{options:?}");
        options
    }

    #[test]
    fn completions_know_every_option() {
        for shell in ["bash", "zsh", "fish"] {
            let script = run(&["completions", shell]).stdout;
            for command in
                ["export", "sync", "event", "render", "guard", "authorization-details", "demo"]
            {
                assert!(script.contains(command), "{shell}: {command}");
                for option in options(command) {
                    let name = if shell == "fish" { &option[2..] } else { &option };
                    assert!(script.contains(name), "{shell}: {command} {option}");
                }
            }
        }
    }

    #[test]
    fn completions_for_bash_are_bash() {
        let mut bash = Command::new("bash")
            .arg("-n")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this test needs the program `bash` on the PATH");
        let script = run(&["completions", "bash"]).stdout;
        bash.stdin.take().expect("piped").write_all(script.as_bytes()).expect("bash reads");
        let output = bash.wait_with_output().expect("wait");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn manual_page_is_roff_and_knows_every_option() {
        let commands = [
            "export",
            "sync",
            "event",
            "render",
            "guard",
            "authorization-details",
            "demo",
            "completions",
            "man",
        ];
        for arguments in [vec!["man"]].into_iter().chain(commands.map(|name| vec!["man", name])) {
            let page = run(&arguments).stdout;
            let start = page.lines().find(|line| line.starts_with(".TH "));
            assert!(
                start.is_some_and(|line| line.contains("aws-iam-gitops")),
                "{arguments:?}: {start:?}"
            );
            assert!(page.contains("\n.SH NAME\n"), "{arguments:?}");
        }
        for command in
            ["export", "sync", "event", "render", "guard", "authorization-details", "demo"]
        {
            let page = run(&["man", command]).stdout.replace("\\-", "-");
            for option in options(command) {
                assert!(page.contains(&option), "{command} {option}");
            }
            let reads_aws =
                !["render", "guard", "authorization-details", "demo"].contains(&command);
            assert_eq!(page.contains("iam:GetAccountAuthorizationDetails"), reads_aws);
        }
    }
}
