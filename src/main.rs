//! The program: the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    aws_iam_gitops::cli::run()
}
