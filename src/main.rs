//! The program: the Lambda function where Lambda runs it, the command line elsewhere.

use std::process::ExitCode;

fn main() -> ExitCode {
    match aws_iam_gitops::settings::environment::is_function() {
        true => aws_iam_gitops::lambda::run(),
        false => aws_iam_gitops::cli::run(),
    }
}
